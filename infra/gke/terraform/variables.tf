variable "project" {
  description = "Project of the cluster, network and images."
  type        = string
}

variable "keys_project" {
  description = "Separate project for keys. Owners of the cluster's project must have no rights in it."
  type        = string

  validation {
    condition     = var.keys_project != var.project
    error_message = "keys_project must differ from project: owners of the cluster's project could use the keys."
  }
}

variable "region" {
  description = "Region with N2D machines that support SEV-SNP, and with Cloud HSM."
  type        = string
}

variable "zones" {
  description = "Zones of the region with such machines."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2
    error_message = "name at least two zones, so that the loss of one zone is only an interruption."
  }
}

variable "operator_cidrs" {
  description = "Private address ranges that may reach the control plane, by name."
  type        = map(string)
}

variable "image_signers" {
  description = "IAM members that may attest an image, such as serviceAccount:build@PROJECT.iam.gserviceaccount.com."
  type        = list(string)
}

variable "device_plugin_image" {
  description = "Image of Google's cc-device-plugin, by digest."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.device_plugin_image))
    error_message = "device_plugin_image must end in @sha256: and a digest, because it runs privileged on every node."
  }
}

variable "releases" {
  description = "Providers whose release runs in this cluster. Keep gcp alone: a cluster with several releases could combine shares."
  type        = set(string)
  default     = ["gcp"]
}
