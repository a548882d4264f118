"""Tests of the GCS adapter."""
