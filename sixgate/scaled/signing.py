"""The signer as a process of its own: every slot it was given, side by side."""
