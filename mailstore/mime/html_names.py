#!/usr/bin/python3
"""Makes the table of HTML's character references as C: HTML 4's, and the marks
of ASCII that HTML 5 gave names. Sorted, for a binary search.

    html_names.py >html_names.c
"""
import html.entities

MORE = """apos Tab NewLine excl num dollar percnt lpar rpar ast plus comma
period sol colon semi equals quest commat lsqb lbrack bsol rsqb rbrack Hat
lowbar UnderBar grave lcub lbrace verbar vert rcub rbrace check cross star
starf phone female male hyphen dash rsquor lsquor numsp puncsp ZeroWidthSpace
NoBreak nbsp hearts diams spades clubs copysr incare boxh block""".split()


def main():
    names = dict(html.entities.name2codepoint)
    for name in MORE:
        text = html.entities.html5[name + ";"]
        assert len(text) == 1
        names[name] = ord(text)
    ordered = sorted(names)
    print('/* Made by html_names.py. */\n#include "mailstore/mime/html_names.h"')
    print("const char html_name_text[] =")
    offsets, at = [], 0
    for name in ordered:
        print(f'    "{name}\\0"')
        offsets.append(at)
        at += len(name) + 1
    print("    ;\nconst uint16_t html_name_offsets[] = {")
    print("    " + ", ".join(map(str, offsets)))
    print("};\nconst uint16_t html_name_codes[] = {")
    print("    " + ", ".join(str(names[name]) for name in ordered))
    print(f"}};\nconst unsigned html_name_count = {len(ordered)};")


if __name__ == "__main__":
    main()
