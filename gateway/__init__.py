"""The district's service: readings come in by MQTT, are kept, acknowledged after commit, and shown."""
