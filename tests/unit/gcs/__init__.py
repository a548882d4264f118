"""Tests of the GCS door."""
