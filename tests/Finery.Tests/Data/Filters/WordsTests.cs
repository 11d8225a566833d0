using System.Text;
using Finery.Data.Filters;
using Finery.Data.Filters.Segmentation;
using Xunit;

namespace Finery.Tests.Data.Filters;

public sealed class WordsTests
{
    private static readonly PlainWords s_english = new(english: true), s_spaced = new(english: false);

    private static string[] Split(string text, string language = "en")
    {
        var words = new TextSpans();
        Words.Split(text, language, words);
        return [.. Enumerable.Range(0, words.Count).Select(w => text[words[w]])];
    }

    [Theory]
    [InlineData("'I wish ... time,' said",
        "' I wish ... time , ' said")]
    [InlineData("I don't think he'll wouldn’t've it's they're y'all how'd'y",
        "I do n't think he 'll wouldn’t've it 's they 're y' all how 'd 'y")]
    [InlineData("dont cant wont im ive youre thats whats cannot gonna gotta",
        "do nt ca nt wo nt i m i ve you re that s what s can not gon na got ta")]
    [InlineData("ill its hell shell shed were well whore id wed",
        "ill its hell shell shed were well whore i d we d")]
    [InlineData("Dr. Mr. Mrs. a.m. e.g. i.e. U.S. U.K. Ph.D. vs. etc.",
        "Dr. Mr. Mrs. a.m. e.g. i.e. U.S. U.K. Ph.D. vs. etc .")]
    [InlineData("Jan. Sept. Calif. N.Y. Mass. Ariz.",
        "Jan. Sept. Calif. N.Y. Mass. Ariz.")]
    [InlineData("a. b. z. ä. A. B.",
        "a. b. z. ä. A. B.")]
    [InlineData("9am 12pm 10a.m. 13am 5km 10km/h 5US$ 20% 3.5 $5 US$20 10€",
        "9 am 12 pm 10 a.m. 13am 5 km 10 km/h 5 US$ 20 % 3.5 $ 5 US$ 20 10 €")]
    [InlineData("C++ C# :) :-) ;-) 8) XD <3 (^_^) ¯\\(ツ)/¯ o_O word:) (:",
        "C++ C # :) :-) ;-) 8) XD <3 (^_^) ¯\\(ツ)/¯ o_O word :) (:")]
    [InlineData("www.google.com?q=google http://example.com/a_b(c)d user@example.com mailto:foo-bar@baz-co.com",
        "www.google.com?q=google http://example.com/a_b(c)d user@example.com mailto:foo-bar@baz-co.com")]
    [InlineData("(http://www.example.com) \"www.apple.com,\" 1.2.3.4 192.168.1.1 example.Com lower.Upper",
        "( http://www.example.com ) \" www.apple.com , \" 1.2.3.4 192.168.1.1 example . Com lower . Upper")]
    [InlineData("well-known e-mail 10-year 5-6 3*4 2^8 a+b x--y a---b c—d e–f ~g h~i",
        "well - known e - mail 10 - year 5 - 6 3 * 4 2 ^ 8 a+b x -- y a --- b c — d e – f ~g h ~ i")]
    [InlineData("and/or x/b. a:b c=d e<f 1:2 key=value b/c,d 1,000 a,b",
        "and/or x / b. a : b c = d e < f 1:2 key = value b / c , d 1,000 a , b")]
    [InlineData("Hello... wait…… (yes!) [no?] {maybe} \"quoted\" “curly” ‘single’ «guillemets»",
        "Hello ... wait …… ( yes ! ) [ no ? ] { maybe } \" quoted \" “ curly ” ‘ single ’ « guillemets »")]
    [InlineData("don't. can't, won't! it's; cats' dog's DOG'S rock'n'roll o'clock ma'am",
        "do n't . ca n't , wo n't ! it 's ; cats ' dog 's DOG 'S rock'n'roll o'clock ma'am")]
    [InlineData("$100 £5 €3.50 ₽7 +5 5+ + -5 #tag @user §4 %x =y &amp;",
        "$ 100 £ 5 € 3.50 ₽ 7 +5 5 + + -5 # tag @user § 4 % x = y & amp ;")]
    [InlineData("24°C. 20°f. 5m² 7кг 日本語。テスト 你好，世界！ 1980s 3rd 2nd. AB. A.B. ab. a.B",
        "24 ° C . 20 ° f . 5 m² 7 кг 日本語。テスト 你好，世界 ！ 1980s 3rd 2nd . AB . A.B. ab . a. B")]
    [InlineData("_under_score __init__ *bold* **strong** `code` ``rst`` |table| ~~~~ ==== ---- ....",
        "_ under_score _ _ init _ _ * bold * * * strong * * ` code ` ` ` rst ` ` |table| ~~~~ = = = = ---- ....")]
    [InlineData("hello\\nworld \\\") <space> w/o 'em 'cause 'twas let's c'mon",
        "hello\\nworld \\\") <space> w/o 'em 'cause ' twas let 's c'm on")]
    [InlineData("x😀y 👍🏽! ™ © 5° naïve café Straße ﬁ",
        "x 😀 y 👍 🏽 ! ™ © 5 ° naïve café Straße ﬁ")]
    [InlineData("Yes! \"I'd rather have a walk\", Ms. Comble sighed. ",
        "Yes ! \" I 'd rather have a walk \" , Ms. Comble sighed .")]
    [InlineData("'Me too!', Mr. P. Delaware cried. ", "' Me too ! ' , Mr. P. Delaware cried .")]
    [InlineData("But then the 6,000-year ice age came...", "But then the 6,000 - year ice age came ...")]
    [InlineData("“Isn't it?”", "“ Is n't it ? ”")]
    public void English_words_are_those_of_spaCy(string text, string words)
    {
        Assert.Equal(words, string.Join(' ', Split(text)));
        Assert.Equal(Words.Split(text).Select(range => text[range]), Split(text));
    }

    [Theory]
    [InlineData("http://www.nytimes.com/2016/04/20/us/politics/new-york-primary-preview.html?hp&action=click&WT.nav=top&_r=0")]
    [InlineData("http://foo.com/blah_(wikipedia)#cite-1")]
    [InlineData("http://userid:password@example.com:8080/")]
    [InlineData("http://142.42.1.1:8080/")]
    [InlineData("http://223.255.255.254")]
    [InlineData("http://a.b--c.de/")]
    [InlineData("svn+ssh://user@ssh.yourdomain.com/path")]
    [InlineData("http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com")]
    [InlineData("http://✪df.ws/123")]
    [InlineData("http://例子.测试")]
    [InlineData("mailto:foo-bar@baz-co.com?subject=hi")]
    [InlineData("red-stars.com:80")]
    public void An_address_is_one_word(string address)
    {
        Assert.True(WebAddress.IsMatch(address));
        Assert.Equal([address], Split(address));
        Assert.Equal(["(", address, ")", ","], Split($"({address}),"));
    }

    [Theory]
    [InlineData("http://")]
    [InlineData("http://.")]
    [InlineData("http://../")]
    [InlineData("rdar://1234")]
    [InlineData("http://0.0.0.0")]
    [InlineData("http://10.1.1.1")]
    [InlineData("http://172.16.1.1")]
    [InlineData("http://192.168.3.4/")]
    [InlineData("http://224.1.1.1")]
    [InlineData("http://1.1.1.1.1")]
    [InlineData("http://123.123.123")]
    [InlineData("http://3628126748")]
    [InlineData("http://.www.foo.bar/")]
    [InlineData("http://-error-.invalid/")]
    [InlineData("a.b")]
    [InlineData("example.com:1")]
    [InlineData("example.com:123456")]
    public void What_is_no_address_is_none(string text) => Assert.False(WebAddress.IsMatch(text));

    [Fact]
    public void Random_pieces_are_split_as_by_the_plain_rules()
    {
        var random = new Random(5);
        string[] pieces =
        [
            .. new WordExceptions(english: true).All, "...", "..", "……", "US$", "km", "m²", "km/h", "10", "3.5", "www.a.co",
            "http://", "user@", "example.com", ":80", "/p?q", "8.8.8.8", "10.1.2.3", "'s", "’S", "it's", "U.S.",
            "°F.", "кг", "--", "A.B", "a.B", "AB.", "5.",
        ];
        const string Characters = "abzAZ09 .,;:!?'\"()[]{}<>=/-–—~+*^@#$%&_|\\°§…€£。、「」’‘“”é ÉяЯאक你好ㅎΣ\n\t .,:;-'/";
        for (int n = 0; n < 6000; n++)
        {
            var text = new StringBuilder();
            for (int i = random.Next(1, 10); i > 0; i--)
            {
                if (random.Next(2) == 0) text.Append(pieces[random.Next(pieces.Length)]);
                else text.Append(Characters[random.Next(Characters.Length)]);
            }
            string words = text.ToString();
            Assert.Equal(s_english.Split(words), Split(words));
            if (n % 4 == 0) Assert.Equal(s_spaced.Split(words), Split(words, "fr"));
        }
    }

    [Fact]
    public void Any_text_is_covered_by_its_words_but_for_white_space()
    {
        var random = new Random(6);
        foreach (string language in new[] { "en", "deu_Latn", "zh", "tha_Thai" })
        {
            for (int n = 0; n < 300; n++)
            {
                string text = FilterInputs.RandomUnicode(random, random.Next(120));
                var words = new TextSpans();
                Words.Split(text, language, words);
                int end = 0;
                for (int w = 0; w < words.Count; w++)
                {
                    Assert.True(CharacterSets.Strip(text.AsSpan(end..words.Starts[w])).IsEmpty);
                    Assert.True(words.Ends[w] > words.Starts[w]);
                    string word = text[words[w]];
                    Assert.DoesNotContain(word, CharacterSets.IsSpace);
                    Assert.Equal(word.EnumerateRunes().Any(Rune.IsLetter), Has(words, w, WordFlags.Letter));
                    Assert.Equal(
                        !word.EnumerateRunes().All(rune => CharacterSets.IsSymbol(rune.Value)), Has(words, w, WordFlags.NonSymbol));
                    Assert.Equal(!word.EnumerateRunes().All(Rune.IsPunctuation), Has(words, w, WordFlags.NonPunctuation));
                    Assert.Equal(word.Any(char.IsSurrogate), Has(words, w, WordFlags.Surrogate));
                    end = words.Ends[w];
                }
                Assert.True(CharacterSets.Strip(text.AsSpan(end)).IsEmpty);
            }
        }

        static bool Has(TextSpans words, int w, WordFlags flag) => ((WordFlags)words.Flags[w] & flag) != 0;
    }

    [Fact]
    public void Real_text_is_split_as_by_the_plain_rules()
    {
        foreach (string text in FilterInputs.RealTexts(stride: 60))
            Assert.Equal(s_english.Split(text), Split(text));
    }

    [Theory]
    [InlineData("fr", "L'été-là, 5-mois don't 10km !", "L'été - là , 5-mois don't 10 km !")]
    [InlineData("fra_Latn", "a. :) C++", "a. :) C++")]
    [InlineData("zh", "你好，世界 abc-def 3.5", "你 好 ， 世 界 abc - def 3.5")]
    [InlineData("jpn_Jpan", "ガソリン100円。", "ガ ソ リ ン 100 円 。")]
    [InlineData("th", "น้ำ 5km", "น้ ำ 5 km")]
    [InlineData("ko", "한국어 문장.", "한국어 문장 .")]
    [InlineData("eng_Latn", "don't", "do n't")]
    public void Other_languages_have_their_rules(string language, string text, string words) =>
        Assert.Equal(words, string.Join(' ', Split(text, language)));

    [Theory]
    [InlineData("klingon")]
    [InlineData("")]
    [InlineData("en_Zzzz")]
    [InlineData("EN")]
    public void Unknown_languages_are_named(string language)
    {
        var error = Assert.Throws<ArgumentException>(() => Split("text", language));
        Assert.Contains($"'{language}'", error.Message, StringComparison.Ordinal);
        var (property, message) = Assert.Single(new GopherQualityFilter { Language = language }.Validate());
        Assert.Equal("Language", property);
        Assert.Contains($"'{language}'", message, StringComparison.Ordinal);
        Assert.Empty(new C4QualityFilter { Language = "tha_Thai" }.Validate());
    }

    [Theory]
    [InlineData('(')]
    [InlineData('.')]
    [InlineData('@')]
    [InlineData('-')]
    [InlineData('\'')]
    [InlineData('a')]
    [InlineData('\n')]
    [InlineData('=')]
    [InlineData('\uD83D')]
    public void A_million_of_one_character_are_no_trouble(char c)
    {
        string text = new(c, 1_000_000);
        Assert.InRange(Split(text).Length, 0, 1_000_000);
        Assert.InRange(Split(text, "zh").Length, 0, 1_000_000);
        Assert.InRange(Split(string.Concat(Enumerable.Repeat($"{c}:)a", 50_000))).Length, 0, 300_000);
    }
}
