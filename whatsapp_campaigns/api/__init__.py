"""What every route of /api/ shares: errors, strict bodies, pages, permissions, idempotency, the OpenAPI document."""
