"""The same sentence in several languages."""

SAMPLES = {
    "en": "The library stays open until eight in the evening, and on Saturdays there is a reading hour for children.",
    "de": "Die Bücherei hat bis acht Uhr abends geöffnet, und samstags gibt es eine Vorlesestunde für Kinder.",
    "es": "La biblioteca permanece abierta hasta las ocho de la tarde y los sábados hay una hora de lectura para niños.",
    "fr": "La bibliothèque reste ouverte jusqu'à vingt heures et, le samedi, il y a une heure de lecture pour les enfants.",
    "ru": "Библиотека открыта до восьми вечера, а по субботам там проводят час чтения для детей.",
    "ja": "図書館は夜八時まで開いていて、土曜日には子どものための読み聞かせの時間があります。",
    "zh": "图书馆开放到晚上八点，星期六还有给孩子们的阅读时间。",
    "ar": "تبقى المكتبة مفتوحة حتى الثامنة مساءً، وفي أيام السبت هناك ساعة قراءة للأطفال.",
}
