output "root_keys" {
  description = "kms.gcp.key of each release's settings, by provider."
  value       = { for provider, key in google_kms_crypto_key.root : provider => key.id }
}

output "token_issuer" {
  description = "workload.issuer of the release policy."
  value       = "https://container.googleapis.com/v1/${google_container_cluster.sixgate.id}"
}

output "images" {
  description = "Where the image is pushed."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.sixgate.repository_id}"
}
