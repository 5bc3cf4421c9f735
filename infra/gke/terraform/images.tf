# Only attested images run, and only by digest.
resource "google_artifact_registry_repository" "sixgate" {
  repository_id = "sixgate"
  location      = var.region
  format        = "DOCKER"

  docker_config {
    immutable_tags = true
  }

  depends_on = [google_project_service.cluster]
}

resource "google_artifact_registry_repository_iam_member" "nodes" {
  repository = google_artifact_registry_repository.sixgate.id
  location   = google_artifact_registry_repository.sixgate.location
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.nodes.member
}

resource "google_kms_key_ring" "images" {
  project  = var.keys_project
  name     = "sixgate-images"
  location = var.region

  depends_on = [google_project_service.keys]
}

resource "google_kms_crypto_key" "image_signing" {
  name                       = "attestor"
  key_ring                   = google_kms_key_ring.images.id
  purpose                    = "ASYMMETRIC_SIGN"
  destroy_scheduled_duration = "2592000s"

  version_template {
    algorithm        = "EC_SIGN_P256_SHA256"
    protection_level = "HSM"
  }

  lifecycle {
    prevent_destroy = true
  }
}

data "google_kms_crypto_key_version" "image_signing" {
  crypto_key = google_kms_crypto_key.image_signing.id
}

data "google_iam_policy" "image_signing" {
  binding {
    role    = "roles/cloudkms.signerVerifier"
    members = var.image_signers
  }
}

resource "google_kms_crypto_key_iam_policy" "image_signing" {
  crypto_key_id = google_kms_crypto_key.image_signing.id
  policy_data   = data.google_iam_policy.image_signing.policy_data
}

resource "google_container_analysis_note" "image" {
  name = "sixgate-image"

  attestation_authority {
    hint {
      human_readable_name = "built twice to the same digest"
    }
  }

  depends_on = [google_project_service.cluster]
}

resource "google_binary_authorization_attestor" "image" {
  name = "sixgate-image"

  attestation_authority_note {
    note_reference = google_container_analysis_note.image.name

    public_keys {
      id = data.google_kms_crypto_key_version.image_signing.id

      pkix_public_key {
        public_key_pem      = data.google_kms_crypto_key_version.image_signing.public_key[0].pem
        signature_algorithm = data.google_kms_crypto_key_version.image_signing.public_key[0].algorithm
      }
    }
  }
}

resource "google_binary_authorization_policy" "sixgate" {
  global_policy_evaluation_mode = "ENABLE" # allows GKE's system images

  admission_whitelist_patterns {
    name_pattern = var.device_plugin_image
  }

  default_admission_rule {
    evaluation_mode         = "REQUIRE_ATTESTATION"
    enforcement_mode        = "ENFORCED_BLOCK_AND_AUDIT_LOG"
    require_attestations_by = [google_binary_authorization_attestor.image.name]
  }

  depends_on = [google_project_service.cluster]
}
