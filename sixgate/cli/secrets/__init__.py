"""``sixgate secrets`` and ``cmek``: secrets in vaults, and the customer's own key over them."""
