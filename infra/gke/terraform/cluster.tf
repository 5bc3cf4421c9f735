data "google_project" "cluster" {
  project_id = var.project
}

resource "google_container_cluster" "sixgate" {
  name                = "sixgate"
  location            = var.region
  node_locations      = var.zones
  network             = google_compute_network.sixgate.id
  subnetwork          = google_compute_subnetwork.nodes.id
  deletion_protection = true

  remove_default_node_pool = true
  initial_node_count       = 1

  enable_shielded_nodes       = true
  enable_intranode_visibility = true
  datapath_provider           = "ADVANCED_DATAPATH" # Dataplane V2 enforces network policies

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = true
  }

  master_authorized_networks_config {
    gcp_public_cidrs_access_enabled = false
    dynamic "cidr_blocks" {
      for_each = var.operator_cidrs
      content {
        display_name = cidr_blocks.key
        cidr_block   = cidr_blocks.value
      }
    }
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  binary_authorization {
    evaluation_mode = "PROJECT_SINGLETON_POLICY_ENFORCE"
  }

  database_encryption {
    state    = "ENCRYPTED"
    key_name = google_kms_crypto_key.cluster_secrets.id
  }

  # The only resolver is at 169.254.169.254, the address in the network policies.
  dns_config {
    cluster_dns       = "CLOUD_DNS"
    cluster_dns_scope = "CLUSTER_SCOPE"
  }
  addons_config {
    dns_cache_config {
      enabled = false
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  rbac_binding_config {
    enable_insecure_binding_system_authenticated   = false
    enable_insecure_binding_system_unauthenticated = false
  }

  release_channel {
    channel = "STABLE"
  }

  depends_on = [google_kms_crypto_key_iam_policy.cluster_secrets, google_project_service.cluster]
}
