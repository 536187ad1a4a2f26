"""The register as people look at it: pages, one holding's story, a certificate looked at again, exports."""
