# Keys have a separate project. These IAM policies are authoritative: members that are not listed
# have no rights on a key. The signer is not listed.
data "google_project" "keys" {
  project_id = var.keys_project
}

resource "google_project_iam_audit_config" "kms" {
  project = var.keys_project
  service = "cloudkms.googleapis.com"

  audit_log_config {
    log_type = "DATA_READ"
  }
  audit_log_config {
    log_type = "DATA_WRITE"
  }
}

# Rights of a release on its root key: wrap, unwrap, and read that its protection level is HSM.
resource "google_project_iam_custom_role" "release" {
  project     = var.keys_project
  role_id     = "sixgateRelease"
  title       = "Sixgate release"
  description = "Wrap and unwrap with one root key, and read its attributes."
  permissions = [
    "cloudkms.cryptoKeyVersions.useToDecrypt",
    "cloudkms.cryptoKeyVersions.useToEncrypt",
    "cloudkms.cryptoKeys.get",
  ]
}

resource "google_kms_key_ring" "release" {
  for_each = var.releases
  project  = var.keys_project
  name     = "sixgate-release-${each.key}"
  location = var.region

  depends_on = [google_project_service.keys]
}

resource "google_kms_crypto_key" "root" {
  for_each                   = var.releases
  name                       = "root"
  key_ring                   = google_kms_key_ring.release[each.key].id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s" # 90 days; older versions still unwrap
  destroy_scheduled_duration = "2592000s" # 30 days to undo it

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "HSM"
  }

  lifecycle {
    prevent_destroy = true # everything it wrapped would be lost
  }
}

data "google_iam_policy" "root" {
  for_each = var.releases
  binding {
    role    = google_project_iam_custom_role.release.id
    members = ["${local.workloads}/ns/sixgate-release-${each.key}/sa/release-${each.key}"]
  }
}

resource "google_kms_crypto_key_iam_policy" "root" {
  for_each      = var.releases
  crypto_key_id = google_kms_crypto_key.root[each.key].id
  policy_data   = data.google_iam_policy.root[each.key].policy_data
}

locals {
  workloads = join("/", [
    "principal://iam.googleapis.com/projects/${data.google_project.cluster.number}",
    "locations/global/workloadIdentityPools/${var.project}.svc.id.goog/subject",
  ])
}

# Encrypts Kubernetes Secrets in the cluster's database.
resource "google_kms_key_ring" "cluster" {
  project  = var.keys_project
  name     = "sixgate-cluster"
  location = var.region

  depends_on = [google_project_service.keys]
}

resource "google_kms_crypto_key" "cluster_secrets" {
  name                       = "secrets"
  key_ring                   = google_kms_key_ring.cluster.id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s"
  destroy_scheduled_duration = "2592000s"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "HSM"
  }

  lifecycle {
    prevent_destroy = true
  }
}

data "google_iam_policy" "cluster_secrets" {
  binding {
    role = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    members = [
      "serviceAccount:service-${data.google_project.cluster.number}@container-engine-robot.iam.gserviceaccount.com",
    ]
  }
}

resource "google_kms_crypto_key_iam_policy" "cluster_secrets" {
  crypto_key_id = google_kms_crypto_key.cluster_secrets.id
  policy_data   = data.google_iam_policy.cluster_secrets.policy_data
}
