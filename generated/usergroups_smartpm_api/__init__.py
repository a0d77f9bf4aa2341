"""A client library for accessing SmartPM"""
