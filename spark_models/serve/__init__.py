"""Serving without a transport: bodies and files become a model's input, its output becomes an answer.

`strict_json` reads and writes JSON, `body` parses the forms of a body, `payload` casts them by the signature and
`answers` encodes what the model gave; `files` reads whole files in batches. None of them knows of HTTP.
"""
