"""Fakes of the KMSs of Google, Amazon and Azure, served on loopback."""
