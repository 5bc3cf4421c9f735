"""``sixgate secrets`` and ``cmek``: values of vaults, and the customer's own key over them."""
