"""The batch oracle: topics into Arrow by the published stubs, figures by DuckDB's SQL; knows nothing of any service."""
