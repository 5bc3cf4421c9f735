variable "project" {
  description = "The project of cluster, network and images."
  type        = string
}

variable "keys_project" {
  description = "A project of its own for keys, so that owners of the cluster's own nothing in it."
  type        = string

  validation {
    condition     = var.keys_project != var.project
    error_message = "keys_project must be another project than project: whoever owns the cluster's could use the keys."
  }
}

variable "region" {
  description = "A region with N2D machines that offer SEV-SNP, and an HSM."
  type        = string
}

variable "zones" {
  description = "The region's zones with such machines."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2
    error_message = "name at least two zones, so that the loss of one stops nothing for good."
  }
}

variable "operator_cidrs" {
  description = "The private addresses from which the control plane may be reached, by a name for each."
  type        = map(string)
}

variable "image_signers" {
  description = "Who may attest an image, such as serviceAccount:build@PROJECT.iam.gserviceaccount.com."
  type        = list(string)
}

variable "device_plugin_image" {
  description = "Google's cc-device-plugin, by digest."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.device_plugin_image))
    error_message = "device_plugin_image must end in @sha256: and a digest: it runs privileged on every node."
  }
}

variable "releases" {
  description = "The providers whose release runs in this cluster: Google's alone, unless you know why."
  type        = set(string)
  default     = ["gcp"]
}
