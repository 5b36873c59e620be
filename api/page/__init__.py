"""The page for people: one look says whether the mirror is true. Rendered here, in HTML that needs no JavaScript.

Views are plain values made from what the API is given; templates only show them, and escape whatever they show.
All pages lie side by side and all links are relative, so that it works behind any prefix, such as ingress has.
"""
