"""The report of an audit: a page, the same in Markdown, a card, data, figures, a screen of text."""
