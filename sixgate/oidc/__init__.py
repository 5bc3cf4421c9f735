"""OpenID Connect: people prove who they are with an ID token of the organisation's issuer."""
