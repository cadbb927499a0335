"""What the console's commands and the settings are for, in Malay: loaded by `help` and `get`. A translation of `helps_en` that no speaker has reviewed yet."""

COMMANDS = """
help=senarai ini, satu arahan, atau makna satu tetapan
show=keadaan, dan semua tetapan, atau yang bermula begitu (* ditaip, belum disimpan)
get=satu tetapan, maknanya dan had yang dibenarkan
set=taip nilai baharu; belum berkuat kuasa sehingga save
diff=yang ditaip dan belum disimpan, atau yang berbeza daripada tetapan stesen baharu
save=semak, simpan dan guna apa yang ditaip
revert=lupakan apa yang ditaip
test=bunyikan siren sebentar: bunyi setiap aras, atau satu; tidak pernah semasa amaran
calibrate=kayu ukur menunjukkan LEVEL: cadangkan sensor.height daripada sampel berikut
level=aras air, satu baris setiap sampel, sehingga satu kekunci ditekan
log=peristiwa terbaharu dalam jurnal, atau bacaan
status=keadaan stesen
ack=akui: senyap sehingga air naik lagi, paling lama 12 jam
shelve=tiada bunyi selama 1 hingga 1440 minit; 0 menamatkannya
drill=bunyikan latihan 1 waspada, 2 amaran atau 3 bahaya
reboot=mula semula, juga keluar daripada mod selamat
export=tetapan atau jurnal untuk program, setiap baris dengan CRC
maintenance=hentikan stesen dan buka prom MicroPython; set semula memulakannya lagi
login=beri PIN pada label
logout=keluar; apa yang belum disimpan dilupakan
language=bahasa: en ms id, atau nama aras dalam th vi km lo ja
machine=jawapan untuk program (docs/console.md)
"""

SETTINGS = """
level.alert=waspada, di atas datum tolok
level.warning=amaran
level.danger=bahaya
level.deadband=satu keadaan tamat sejauh ini di bawah garisannya
level.on_delay=masa di atas garisan sebelum dikira
level.off_delay=masa di bawah sebelum keadaan tamat
level.latched=1: kekal sehingga diakui
rise.limit=amaran jika naik sebanyak ini dalam tetingkap; 0 tutup
rise.window=tetingkap kenaikan
alarm.shadow=1: putuskan dan lapor, tiada bunyi
siren.from=siren dari keadaan 1 waspada, 2 amaran, 3 bahaya; 4 tidak pernah
sensor.height=muka penderia di atas datum tolok
sample.interval=antara sampel dalam keadaan normal
sample.alarm_interval=antara sampel mulai keadaan waspada
report.interval=antara laporan semasa normal
alarm.out_of_service=1: ukur dan lapor, tidak memutuskan apa-apa
battery.low=di bawahnya stesen yang tenang mengambil sampel sepertiga kerap
power.profile=0: sentiasa hidup, 1: tidur antara sampel
radio.interval=tidur dan tenang: berapa kerap radio dihidupkan
siren.current_low=siren yang berbunyi menarik lebih; 0: tidak diukur
*.alert=waspada mulai di sini
*.warning=amaran mulai di sini
*.danger=bahaya mulai di sini
*.deadband=garisan ditinggalkan hanya sejauh ini di bawahnya
"""
