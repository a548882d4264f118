"""Every message that the bot can say, as examples, and the page that shows them: `docs/messages.md`.

Lives here: the catalogue (`catalogue`), one module per surface with its examples (`cards`, `ends`, `thread`, `replies`,
`views`), the tables of sentences (`errors`), the executions that they show (`world`), how they are written down
(`visible`, `page`), how high they are (`heights`, `browser`) and pictures of them (`sheets`). Does not live here: the
messages themselves (`bot.blocks`). Called by `make messages` and by the tests that keep the page up to date.
"""
