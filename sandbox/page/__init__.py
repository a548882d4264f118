"""The page that shows the simulated Slack in a browser: server-rendered HTML, one style, one script, no build step.

`markup` escapes · `mrkdwn`, `dates`, `emoji`, `richtext`, `words`, `elements`, `render` render Block Kit (pure) ·
`message`, `screen` render everything around it (pure) · `binding` reads the simulated Slack's state · `server` has the
routes.
"""
