output "root_keys" {
  description = "Value of kms.gcp.key in each release's settings, by provider."
  value       = { for provider, key in google_kms_crypto_key.root : provider => key.id }
}

output "token_issuer" {
  description = "Value of workload.issuer in the release policy."
  value       = "https://container.googleapis.com/v1/${google_container_cluster.sixgate.id}"
}

output "images" {
  description = "Repository for the image."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.sixgate.repository_id}"
}
