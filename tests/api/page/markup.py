"""HTML as the tests read it: elements, their text and their links."""

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "path", "circle"}


class Element:
    """One element, with all the text inside of it."""

    def __init__(self, name: str, attributes: dict[str, str | None]) -> None:
        self.name = name
        self.attributes = attributes
        self.text = ""

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute] or ""


class Markup(HTMLParser):
    """A parsed page; `elements` are all of them, in order. Refuses what is not closed in its order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert self._open == [], [element.name for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag, tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, name: str, **attributes: str) -> list[Element]:
        """The elements of a name that have these attributes."""
        return [
            e
            for e in self.elements
            if e.name == name and all(e.attributes.get(k.rstrip("_")) == v for k, v in attributes.items())
        ]

    def one(self, name: str, **attributes: str) -> Element:
        found = self.all(name, **attributes)
        assert len(found) == 1, (name, attributes, len(found))
        return found[0]

    def text_of(self, id_: str) -> str:
        found = [e for e in self.elements if e.attributes.get("id") == id_]
        assert len(found) == 1, id_
        return " ".join(found[0].text.split())
