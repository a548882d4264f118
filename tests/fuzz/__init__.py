"""What arrives, changed at random: answers of GCS, what people type, and Slack's requests.

`make fuzz` runs this ring for as long as asked; `make test` tries a few examples of it, always the same ones.
"""
