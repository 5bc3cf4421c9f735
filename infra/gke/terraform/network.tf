# Nodes reach only Google's restricted addresses: no default route, no NAT.
resource "google_compute_network" "sixgate" {
  name                            = "sixgate"
  auto_create_subnetworks         = false
  delete_default_routes_on_create = true

  depends_on = [google_project_service.cluster]
}

resource "google_compute_subnetwork" "nodes" {
  name                     = "sixgate-nodes"
  network                  = google_compute_network.sixgate.id
  ip_cidr_range            = "10.64.0.0/22"
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.68.0.0/16"
  }
  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.69.0.0/20"
  }
  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

locals {
  # restricted.googleapis.com: the services that VPC Service Controls can restrict
  restricted_cidr      = "199.36.153.4/30"
  restricted_addresses = [for number in range(4) : cidrhost(local.restricted_cidr, number)]
  google_domains       = toset(["googleapis.com", "gcr.io", "pkg.dev"])
}

resource "google_compute_route" "google" {
  name             = "sixgate-google"
  network          = google_compute_network.sixgate.id
  dest_range       = local.restricted_cidr
  next_hop_gateway = "default-internet-gateway"
}

resource "google_dns_managed_zone" "google" {
  for_each   = local.google_domains
  name       = "sixgate-${replace(each.key, ".", "-")}"
  dns_name   = "${each.key}."
  visibility = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.sixgate.id
    }
  }
}

resource "google_dns_record_set" "google" {
  for_each     = local.google_domains
  managed_zone = google_dns_managed_zone.google[each.key].name
  name         = "${each.key}."
  type         = "A"
  ttl          = 300
  rrdatas      = local.restricted_addresses
}

resource "google_dns_record_set" "google_hosts" {
  for_each     = local.google_domains
  managed_zone = google_dns_managed_zone.google[each.key].name
  name         = "*.${each.key}."
  type         = "CNAME"
  ttl          = 300
  rrdatas      = ["${each.key}."]
}
