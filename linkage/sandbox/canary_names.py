"""Sixteen names nobody has: found anywhere they should not be, they prove a leak."""

from __future__ import annotations

CANARY_NAMES: tuple[tuple[str, str], ...] = (
    ("Zephandrel", "Quillonbrax"),
    ("Vorimondek", "Thraskelwyn"),
    ("Yxilomere", "Brundlevoth"),
    ("Jorvantqui", "Skelmarindo"),
    ("Oquelistra", "Vendrapholt"),
    ("Drazimbert", "Plorquenade"),
    ("Wuthrelion", "Gazzimondry"),
    ("Kyphandora", "Mulvextrane"),
    ("Xanthovelda", "Frobisquant"),
    ("Bezquillor", "Wraxendoppel"),
    ("Thulimanqua", "Ostrevandik"),
    ("Nyvorembel", "Kwindlethorp"),
    ("Urquanzella", "Dravimotch"),
    ("Pevlorindax", "Zumbrelkost"),
    ("Fyndaquore", "Hexlomarby"),
    ("Grimvelotto", "Yarquimble"),
)
