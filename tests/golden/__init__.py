"""The golden data folder: made once by an earlier program, opened by every later one.

``folder.tar.xz`` has the folder ``data`` and the files of its clients (``clients``), with private
keys that exist for these tests only: never use them for anything else. ``expected.json`` is what
the folder must show. ``CONTRIBUTING.md`` says when to make another one.
"""
