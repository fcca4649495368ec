"""The OpenAI API: files and batches, and the live endpoints that many servers share."""
