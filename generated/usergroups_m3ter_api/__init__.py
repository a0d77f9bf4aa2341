"""A client library for accessing m3ter"""
