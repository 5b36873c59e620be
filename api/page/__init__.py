"""The page for people: one look shows whether the mirror is correct. Rendered here, in HTML that needs no JavaScript.

Views are plain values made from the API's data; templates only show them, and escape everything.
All pages are siblings and all links are relative, so that the page works behind any prefix, such as ingress.
"""
