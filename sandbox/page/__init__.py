"""The page on which people look at the pretend Slack: server-rendered HTML, one style, one script, no build step.

`markup` escapes · `mrkdwn`, `dates`, `emoji`, `richtext`, `words`, `elements`, `render` draw Block Kit, pure ·
`message`, `screen` draw what stands around it, pure · `binding` reads the pretend Slack's state · `server` has the
routes.
"""
