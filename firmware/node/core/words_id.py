"""What the console says in Indonesian; waspada, siaga, awas are the public words of its agencies.

A translation of `words_en` that no speaker has reviewed yet.
"""

NAME = "Bahasa Indonesia"
REVIEWED = False

SAYS = """
overlong=baris terlalu panjang: paling banyak %d karakter
unknown=tidak ada perintah '%s'; coba help
usage=cara pakai
refused=ditolak
storage=tidak dilakukan: penyimpanan tidak menerimanya
login first=ditolak: login PIN dahulu
left alone=ditinggalkan: keluar, yang belum disimpan dilupakan
needs pin=perlu login PIN dahulu, bila stasiun mempunyai PIN
unreviewed=kata-kata ini belum ditinjau
unreviewed levels=nama tingkat ini belum ditinjau; selebihnya dalam bahasa Inggris
range=%s sampai %s
staged=* diketik, belum berlaku sampai save
no setting=tidak ada setelan '%s'; yang ada %s
no difference=tidak ada perbedaan
set=%s %s (sebelumnya %s), belum berlaku sampai save
warning=perhatian
season=tingkat musim berlaku: %s m
out of reach=level.danger di atas yang dapat diukur sensor dari tingginya, %s m: save akan menolak
nothing to save=tidak ada yang disimpan
not saved=tidak disimpan: penyimpanan tidak menerimanya; setelan lama tetap
saved one=%s %s (sebelumnya %s)
saved=disimpan, revisi %d
reverted=dibatalkan: %d dilupakan
acknowledged=diakui: diam sampai air naik ke keadaan berikutnya
shelve takes=shelve menerima 0 sampai 1440 menit
shelved=dibungkam selama %d menit
unshelved=tidak lagi dibungkam
drill=latihan: bunyi satu detik, selama 18 s
test=uji: tiap bunyi sekali, pendek; alarm mengakhirinya
no test=tidak ada uji yang berjalan
test off=uji berakhir
rebooting=mulai ulang
no repl=tidak ada prompt di sini
maintenance=stasiun berhenti; mpremote boleh masuk
open=stasiun ini tanpa PIN: siapa pun boleh mengubahnya
pin damaged=berkas PIN rusak atau tidak dapat dibaca: tak seorang pun dapat masuk; daftarkan stasiun lagi
wait=terlalu banyak PIN salah: yang berikutnya diterima dalam %d s
wrong=PIN salah; yang berikutnya diterima dalam %d s
welcome=masuk
logged out=keluar; yang belum disimpan dilupakan
no language=tidak ada bahasa itu; yang ada %s
any key=tombol apa pun mengakhirinya
no level=stasiun ini tanpa tinggi muka air
measuring=mengukur: %d sampel; tombol apa pun mengakhirinya
no burst=sampel yang baik tidak cukup dalam satu menit
water moves=%d mm antara sampel: air bergerak
height is right=sensor.height %s benar
day kept=dikalibrasi hari ini
day not kept=penyimpanan tidak menerima hari kalibrasi
day unknown=hari tidak diketahui, maka hari kalibrasi tidak disimpan
no record=tidak ada rekaman
state.normal=normal
state.alert=waspada
state.warning=siaga
state.danger=awas
level line=%s, muka air %s (q %d, %d pencilan), baterai %d mV, revisi %d
state line=%s, %d sensor, revisi %d
"""
