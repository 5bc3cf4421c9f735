resource "google_project_service" "cluster" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "binaryauthorization.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "containeranalysis.googleapis.com",
    "dns.googleapis.com",
  ])
  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

resource "google_project_service" "keys" {
  project            = var.keys_project
  service            = "cloudkms.googleapis.com"
  disable_on_destroy = false
}
