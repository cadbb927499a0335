"""What the console's commands and the settings are for, in Indonesian: loaded by `help` and `get`.

A translation of `helps_en` that no speaker has reviewed yet.
"""

COMMANDS = """
help=daftar ini, satu perintah, atau arti satu setelan
show=keadaan, dan semua setelan, atau yang berawalan demikian (* diketik, belum disimpan)
get=satu setelan, artinya dan batas yang diizinkan
set=ketik nilai baru; belum berlaku sampai save
diff=yang diketik dan belum disimpan, atau yang berbeda dari setelan stasiun baru
save=periksa, simpan dan pakai yang diketik
revert=lupakan yang diketik
test=bunyikan sirene sebentar: bunyi tiap tingkat, atau satu; tidak pernah di samping alarm
calibrate=papan duga menunjukkan LEVEL: usulkan sensor.height dari sampel berikutnya
level=tinggi muka air, satu baris tiap sampel, sampai satu tombol ditekan
log=peristiwa terbaru dalam jurnal, atau bacaan
status=keadaan stasiun
ack=akui: diam sampai air naik lagi, paling lama 12 jam
shelve=tanpa bunyi selama 1 sampai 1440 menit; 0 mengakhirinya
drill=bunyikan latihan 1 waspada, 2 siaga atau 3 awas
reboot=mulai ulang, juga keluar dari mode aman
export=setelan atau jurnal untuk program, tiap baris dengan CRC
maintenance=hentikan stasiun dan buka prompt MicroPython; reset memulainya lagi
login=masukkan PIN yang ada pada label
logout=keluar; yang belum disimpan dilupakan
language=bahasa: en ms id, atau nama tingkat dalam th vi km lo ja
machine=jawaban untuk program (docs/console.md)
"""

SETTINGS = """
level.alert=waspada, di atas datum papan duga
level.warning=siaga
level.danger=awas
level.deadband=suatu keadaan berakhir sejauh ini di bawah garisnya
level.on_delay=waktu di atas garis sebelum dihitung
level.off_delay=waktu di bawah sebelum keadaan berakhir
level.latched=1: tetap sampai diakui
rise.limit=alarm bila naik sebanyak ini dalam jendela; 0 mati
rise.window=jendela kenaikan
alarm.shadow=1: putuskan dan laporkan, tanpa bunyi
siren.from=sirene dari keadaan 1 waspada, 2 siaga, 3 awas; 4 tidak pernah
sensor.height=muka sensor di atas datum papan duga
sample.interval=antara sampel dalam keadaan normal
sample.alarm_interval=antara sampel mulai keadaan waspada
report.interval=antara laporan selama normal
alarm.out_of_service=1: ukur dan laporkan, tidak memutuskan apa pun
battery.low=di bawahnya stasiun yang tenang mengambil sampel sepertiga seringnya
power.profile=0: selalu hidup, 1: tidur di antara sampel
radio.interval=tidur dan tenang: seberapa sering radio menyala
siren.current_low=sirene yang berbunyi menarik lebih; 0: tidak diukur
*.alert=waspada mulai di sini
*.warning=siaga mulai di sini
*.danger=awas mulai di sini
*.deadband=garis ditinggalkan hanya sejauh ini di bawahnya
"""
