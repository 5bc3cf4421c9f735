locals {
  # One pool per kind of workload. /dev/sev-guest serves one container per node, so each signer needs its
  # own node. "processes" has no taint: system pods run there.
  pools = {
    signer    = { machine_type = "n2d-standard-2", nodes_per_zone = 1, tainted = true }
    release   = { machine_type = "n2d-standard-2", nodes_per_zone = 1, tainted = true }
    processes = { machine_type = "n2d-standard-4", nodes_per_zone = 1, tainted = false }
  }
}

# The nodes' service account: pulls images, writes logs and metrics.
resource "google_service_account" "nodes" {
  account_id   = "sixgate-nodes"
  display_name = "Nodes of Sixgate"
}

resource "google_project_iam_member" "nodes" {
  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.nodes.member
}

resource "google_container_node_pool" "sixgate" {
  for_each       = local.pools
  name           = each.key
  cluster        = google_container_cluster.sixgate.id
  node_locations = var.zones
  node_count     = each.value.nodes_per_zone

  network_config {
    enable_private_nodes = true
  }

  node_config {
    machine_type     = each.value.machine_type
    min_cpu_platform = "AMD Milan" # required by SEV-SNP
    image_type       = "COS_CONTAINERD"
    service_account  = google_service_account.nodes.email
    oauth_scopes     = ["https://www.googleapis.com/auth/cloud-platform"]
    labels           = { "sixgate.io/pool" = each.key }
    metadata         = { "disable-legacy-endpoints" = "true" }

    confidential_nodes {
      enabled                    = true
      confidential_instance_type = "SEV_SNP"
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    kubelet_config {
      insecure_kubelet_readonly_port_enabled = "FALSE"
    }

    dynamic "taint" {
      for_each = each.value.tainted ? [each.key] : []
      content {
        key    = "sixgate.io/pool"
        value  = taint.value
        effect = "NO_SCHEDULE"
      }
    }
  }

  # One node at a time: each signer slot runs in one place only.
  upgrade_settings {
    max_surge       = 1
    max_unavailable = 0
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }
}
