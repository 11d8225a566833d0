using System.Text;
using Finery.Data.Readers;
using Finery.Data.Readers.Encodings;
using Xunit;

namespace Finery.Tests.Data.Readers.Encodings;

public sealed class TextDecoderTests
{
    private const string French =
        "Les élèves étaient très fatigués après la journée passée à l'école, où ils avaient dû réciter des poèmes.";
    private const string German =
        "Die Größe der Häuser überraschte die Schüler, während die Straßen für Fußgänger schön gemacht wurden.";
    private const string Polish =
        "Zażółć gęślą jaźń. Każdy człowiek ma prawo do życia, wolności i bezpieczeństwa swojej osoby, również dziś.";
    private const string Czech =
        "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Příliš žluťoučký kůň úpěl ďábelské ódy.";
    private const string Hungarian =
        "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Árvíztűrő tükörfúrógép, őszinte erőfeszítés.";
    private const string Turkish =
        "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler, ışık değişti.";
    private const string Russian =
        "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью.";
    private const string Ukrainian =
        "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю.";
    private const string Greek =
        "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με λογική.";
    private const string Hebrew = "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון.";
    private const string Arabic =
        "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا.";
    private const string Thai = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ";
    private const string Baltic =
        "Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā un tiesībās. Viņi ir apveltīti ar saprātu.";
    private const string Japanese = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられている。";
    private const string Chinese = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。";
    private const string Taiwanese = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。";
    private const string Korean = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았다.";

    public static TheoryData<string, string> Legacy => new()
    {
        { "windows-1252", French }, { "windows-1252", German }, { "windows-1250", Polish }, { "iso-8859-2", Polish },
        { "windows-1250", Czech }, { "iso-8859-2", Czech }, { "windows-1250", Hungarian }, { "windows-1254", Turkish },
        { "windows-1251", Russian }, { "koi8-r", Russian }, { "iso-8859-5", Russian }, { "ibm866", Russian },
        { "windows-1251", Ukrainian }, { "koi8-u", Ukrainian }, { "windows-1253", Greek }, { "windows-1255", Hebrew },
        { "windows-1256", Arabic }, { "windows-874", Thai }, { "windows-1257", Baltic }, { "shift_jis", Japanese },
        { "euc-jp", Japanese }, { "gb18030", Chinese }, { "big5", Taiwanese }, { "euc-kr", Korean },
    };

    private static byte[] Encode(string charset, string text) => EncodingLabels.Get(charset).GetBytes(text);

    [Theory]
    [MemberData(nameof(Legacy))]
    public void Legacy_text_is_recognised_without_a_declaration(string charset, string text)
    {
        var bytes = Encode(charset, $"<html><title>x</title><p>{text}</p></html>");
        var decoded = TextDecoder.Decode(bytes, isHtml: true);
        Assert.Equal($"<html><title>x</title><p>{text}</p></html>", decoded.Text);
        Assert.False(decoded.HasErrors);
    }

    [Theory]
    [MemberData(nameof(Legacy))]
    public void Declarations_are_believed_unless_they_make_no_sense(string charset, string text)
    {
        var bytes = Encode(charset, text);
        Assert.Equal((text, charset), (TextDecoder.Decode(bytes, charset).Text, TextDecoder.Decode(bytes, charset).Charset));
        var page = Encode(charset, $"<head><meta http-equiv=Content-Type content='text/html; charset={charset}'></head>{text}");
        Assert.EndsWith(text, TextDecoder.Decode(page, null, isHtml: true).Text, StringComparison.Ordinal);
        foreach (var wrong in new[] { "utf-8", "iso-8859-1", "shift_jis", "nonsense" })
        {
            var decoded = TextDecoder.Decode(bytes, wrong);
            // Latvian read as Latin-1 is made of French letters: it takes more than letters to tell.
            if (!(wrong == "iso-8859-1" && charset == "windows-1257"))
                Assert.Equal(text, decoded.Text);
            Assert.True(decoded.Text.Count(c => c == '\uFFFD') * 20 < decoded.Text.Length, $"{wrong}: {decoded.Text}");
        }
    }

    [Theory]
    [InlineData("utf-8")]
    [InlineData("iso-8859-1")]
    [InlineData("shift_jis")]
    [InlineData("utf-16")]
    [InlineData(null)]
    public void Utf8_is_utf8_whatever_is_declared(string? declared)
    {
        Assert.Equal(new DecodedText("naïve 😀", "utf-8", false), TextDecoder.Decode("naïve 😀"u8, declared));
        Assert.Equal(new DecodedText("plain", "utf-8", false), TextDecoder.Decode("plain"u8, declared));
        var damaged = TextDecoder.Decode([.. "ä ö ü ß é è à ñ ô "u8, .. "😀"u8[..3]], declared);
        Assert.Equal(("ä ö ü ß é è à ñ ô \uFFFD", true), (damaged.Text, damaged.HasErrors));
    }

    [Fact]
    public void Byte_order_marks_and_wide_encodings()
    {
        Assert.Equal("Grüße", TextDecoder.Decode([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes("Grüße")], "iso-8859-1").Text);
        Assert.Equal("Grüße", TextDecoder.Decode([0xFF, 0xFE, .. Encoding.Unicode.GetBytes("Grüße")], "utf-8").Text);
        Assert.Equal("Grüße", TextDecoder.Decode([0xFE, 0xFF, .. Encoding.BigEndianUnicode.GetBytes("Grüße")]).Text);
        Assert.Equal("<html>Grüße", TextDecoder.Decode(Encoding.Unicode.GetBytes("<html>Grüße")).Text);
        Assert.Equal("<html>Grüße", TextDecoder.Decode(Encoding.BigEndianUnicode.GetBytes("<html>Grüße")).Text);
        Assert.Equal("日本語", TextDecoder.Decode("\u001B$BF|K\\8l\u001B(B"u8, "iso-2022-jp").Text);
        Assert.Equal("", TextDecoder.Decode([]).Text);
    }

    [Theory]
    [InlineData("<meta charset=koi8-r>", "koi8-r")]
    [InlineData("<META CHARSET = 'Latin1' />", "windows-1252")]
    [InlineData("<meta http-equiv=\"content-type\" content=\"text/html;charset=windows-1251\">", "windows-1251")]
    [InlineData("<!-- <meta charset=koi8-r> --><meta charset=\"gb2312\">", "gb18030")]
    [InlineData("<?xml version='1.0' encoding='iso-8859-2'?><html>", "iso-8859-2")]
    [InlineData("<meta charset=utf-16le>", "utf-8")]
    [InlineData("<meta name=description content='the charset of a page'><meta charset=big5>", "big5")]
    [InlineData("<meta charset=unheard-of>", null)]
    [InlineData("<!-- <meta charset=koi8-r>", null)]
    [InlineData("<meta charset", null)]
    public void Pages_declare_their_charset(string page, string? charset) =>
        Assert.Equal(charset, MetaCharset.Find(Encoding.ASCII.GetBytes(page)));

    [Fact]
    public void Every_label_has_a_decoder_on_every_machine() =>
        Assert.All(EncodingResources.Lines("EncodingLabels.txt"), fields =>
        {
            var encoding = EncodingLabels.Get(EncodingLabels.NameOf(fields[^1])!);
            Assert.Equal("a", encoding.GetString(encoding.GetBytes("a")));
        });

    [Fact]
    public void Short_texts_of_thirty_languages_are_told_apart()
    {
        var charsets = new Dictionary<string, string[]>
        {
            ["fr"] = ["windows-1252", "iso-8859-15"], ["de"] = ["windows-1252"], ["es"] = ["windows-1252"],
            ["it"] = ["windows-1252"],
            ["pt_BR"] = ["windows-1252"], ["sv"] = ["windows-1252"], ["fi"] = ["windows-1252"], ["ca"] = ["windows-1252"],
            ["nl"] = ["windows-1252"], ["cs"] = ["windows-1250", "iso-8859-2"], ["pl"] = ["windows-1250", "iso-8859-2"],
            ["tr"] = ["windows-1254"], ["ru"] = ["windows-1251", "koi8-r", "iso-8859-5", "ibm866"],
            ["uk"] = ["windows-1251", "koi8-u"],
            ["bg"] = ["windows-1251"], ["sr"] = ["windows-1251"], ["el"] = ["windows-1253"], ["ar"] = ["windows-1256"],
            ["th"] = ["windows-874"], ["ja"] = ["shift_jis", "euc-jp"], ["zh"] = ["gb18030"], ["zh_TW"] = ["big5"],
            ["ko"] = ["euc-kr"],
        };
        int right = 0, all = 0;
        var documents = new JsonLinesReader { Paths = [SharedData.Path("languages", "tldr.jsonl.gz")] }.Read(new());
        foreach (var document in documents.Where((_, i) => i % 10 == 0))
        {
            foreach (var charset in charsets.GetValueOrDefault((string)document.Metadata["language"]!, []))
            {
                var bytes = Encode(charset, document.Text);
                if (Ascii.IsValid(document.Text) || EncodingLabels.Get(charset).GetString(bytes) != document.Text)
                    continue;
                all++;
                right += TextDecoder.Decode(bytes).Text == document.Text ? 1 : 0;
            }
        }
        // What is left has one or two letters beyond ASCII, such as the one of a Polish "Więcej", which French has too.
        Assert.True(right >= 0.92 * all, $"{right} of {all}");
    }

    [Fact]
    public void Any_bytes_decode_to_something()
    {
        var random = new Random(3);
        for (var i = 0; i < 100; i++)
        {
            var bytes = new byte[random.Next(200)];
            random.NextBytes(bytes);
            Assert.NotNull(TextDecoder.Decode(bytes, i % 3 == 0 ? "euc-jp" : null, isHtml: i % 2 == 0).Text);
        }
    }
}
