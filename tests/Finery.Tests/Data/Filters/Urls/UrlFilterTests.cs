using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Filters.Urls;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Filters.Urls;

public sealed class UrlFilterTests
{
    private static Document At(string? url, string text = "text") =>
        new("id", text) { Metadata = url is null ? [] : new JsonObject { ["url"] = url } };

    private static readonly UrlFilter s_reference = new()
    {
        UseBundledLists = false,
        ExtraDomains = ["blocked.com", "danger.org", "badsubdomain.nice.com"],
    };

    [Theory]
    [InlineData("https://blocked.com", "domain")]
    [InlineData("https://blocke.dcom", null)]
    [InlineData("http://sub.danger.org/x", "domain")]
    [InlineData("https://sub.sub2.danger.org/a?b=c#d", "domain")]
    [InlineData("https://badsubdomain.nice.com/nothing", "subdomain")]
    [InlineData("https://sdsd.badsubdomain.nice.com/nothing", null)]
    [InlineData("https://nice.com", null)]
    [InlineData("HTTPS://user:secret@DANGER.org:8080/", "domain")]
    [InlineData("danger.org/path", "domain")]
    [InlineData("https://danger.org.", "domain")]
    [InlineData("https://example.com/?u=danger.org", null)]
    [InlineData("https://example.com/@danger.org", null)]
    public void Domains_and_hosts_of_the_reference(string url, string? reason) =>
        Assert.Equal(reason, s_reference.Reject(At(url)));

    [Fact]
    public void Rules_apply_in_the_published_order()
    {
        var filter = new UrlFilter
        {
            UseBundledLists = false, ExtraDomains = ["evil.com", "host.fine.org"], ExtraUrls = ["https://fine.org/exact"],
            HardWords = ["hard"], SoftWords = ["soft", "warm", "mild"], Substrings = ["subst"],
        };
        (string Url, string? Reason)[] cases =
        [
            ("https://www.evil.com/hard-subst", "domain"), ("https://host.fine.org/hard", "subdomain"),
            ("https://fine.org/exact", "url"), ("https://fine.org/exact/", null),
            ("https://fine.org/hard/soft-warm", "hard_blacklisted"),
            ("https://fine.org/soft-warm-subst", "soft_blacklisted"), ("https://fine.org/a/su-b.st", "blacklisted_subword"),
            ("https://fine.org/soft/soft", null), ("https://fine.org/soft", null), ("https://fine.org/HARD", null),
            ("https://fine.org/harder", null), ("https://fine.org/SUBST", "blacklisted_subword"),
        ];
        foreach (var (url, reason) in cases)
            Assert.Equal(reason, filter.Reject(At(url)));
        Assert.Null((filter with { SoftWordThreshold = 0 }).Reject(At("https://fine.org/soft-warm-mild")));
        Assert.Equal("soft_blacklisted", (filter with { SoftWordThreshold = 1 }).Reject(At("https://fine.org/mild")));
    }

    [Fact]
    public void An_address_is_needed_unless_the_setting_says_otherwise()
    {
        foreach (var url in new[] { null, "", " " })
        {
            Assert.Equal("no_url", new UrlFilter().Reject(At(url)));
            Assert.Null(new UrlFilter { AllowMissing = true }.Reject(At(url)));
        }
        Assert.Equal("no_url", new UrlFilter().Reject(new("id", "t") { Metadata = new JsonObject { ["url"] = 3 } }));
    }

    [Fact]
    public void Blank_entries_are_refused_and_blank_lines_of_files_do_nothing()
    {
        Assert.Throws<ArgumentException>(() => new UrlFilter { HardWords = ["a", " "] });
        Assert.Throws<ArgumentException>(() => new UrlFilter { Substrings = ["--"] });
        Assert.Throws<ArgumentException>(() => new UrlFilter { ExtraDomains = [""] });
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["domains"], "\n# note\n  bad.com  \r\n\n\nworse.co.uk\n\n");
        var filter = new UrlFilter { UseBundledLists = false, DomainLists = [folder["domains"]] };
        Assert.Equal("domain", filter.Reject(At("https://x.bad.com/")));
        Assert.Equal("domain", filter.Reject(At("https://www.worse.co.uk/")));
        Assert.Null(filter.Reject(At("https://fine.com/")));
    }

    [Fact]
    public void Category_folders_are_read_plain_and_compressed()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["adult"]);
        Directory.CreateDirectory(folder["press"]);
        File.WriteAllText(Path.Combine(folder["adult"], "domains"), "adult-site.net\n1.2.3.4\n");
        using (var gzip = new GZipStream(File.Create(Path.Combine(folder["adult"], "urls.gz")), CompressionLevel.Fastest))
            gzip.Write(Encoding.UTF8.GetBytes("http://fine.net/page\n"));
        File.WriteAllText(Path.Combine(folder["press"], "domains"), "newspaper.com\n");
        var filter = new UrlFilter { UseBundledLists = false, BlocklistFolder = folder.Path };
        Assert.Equal("domain", filter.Reject(At("http://www.adult-site.net/")));
        Assert.Equal("subdomain", filter.Reject(At("http://1.2.3.4:80/x")));
        Assert.Equal("url", filter.Reject(At("http://fine.net/page")));
        Assert.Null(filter.Reject(At("http://newspaper.com/")));
        Assert.Equal("domain", (filter with { BlocklistCategories = [] }).Reject(At("http://newspaper.com/")));
        var missing = filter with { BlocklistCategories = ["nothing"] };
        Assert.Contains("nothing/domains", Assert.Throws<InvalidDataException>(() => missing.Reject(At("http://a.b/"))).Message);
        Assert.Throws<DirectoryNotFoundException>(
            () => new UrlFilter { BlocklistFolder = folder["absent"] }.Reject(At("http://a.b/")));
    }

    [Theory]
    [InlineData("a.b.example.com", "example.com", "com")]
    [InlineData("www.example.co.uk", "example.co.uk", "co.uk")]
    [InlineData("co.uk", "", "co.uk")]
    [InlineData("shop.example.com.au", "example.com.au", "com.au")]
    [InlineData("x.u-tokyo.ac.jp", "u-tokyo.ac.jp", "ac.jp")]
    [InlineData("foo.bar.ck", "foo.bar.ck", "bar.ck")]
    [InlineData("www.ck", "www.ck", "ck")]
    [InlineData("someone.github.io", "github.io", "io")]
    [InlineData("localhost", "", "localhost")]
    [InlineData("192.168.0.1", "", "")]
    [InlineData("[::1]", "", "")]
    public void Registered_domains(string host, string domain, string suffix)
    {
        var address = WebAddress.Parse($"https://{host}:8080/path?q", PublicSuffixes.Bundled);
        Assert.Equal((host, domain, suffix), (address.Host, address.Domain, address.Suffix));
    }

    [Fact]
    public void Hosting_suffixes_and_lists_from_a_file()
    {
        Assert.Equal("someone.github.io", WebAddress.Parse("someone.github.io", PublicSuffixes.WithHosting).Domain);
        Assert.Equal("me.blogspot.de", WebAddress.Parse("http://a.me.blogspot.de/", PublicSuffixes.WithHosting).Domain);
        Assert.Equal("me.blogspot.co.uk", WebAddress.Parse("http://me.blogspot.co.uk/", PublicSuffixes.WithHosting).Domain);
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["psl"],
            "// ===BEGIN ICANN DOMAINS===\ncom\n*.kawasaki.jp\n!city.kawasaki.jp\n// ===END ICANN DOMAINS===\n"
            + "// ===BEGIN PRIVATE DOMAINS===\nhost.com // note\n// ===END PRIVATE DOMAINS===\n");
        var icann = PublicSuffixes.Load(folder["psl"], hosting: false);
        Assert.Equal("host.com", WebAddress.Parse("a.b.host.com", icann).Domain);
        Assert.Equal("b.host.com", WebAddress.Parse("a.b.host.com", PublicSuffixes.Load(folder["psl"], hosting: true)).Domain);
        Assert.Equal("x.y.kawasaki.jp", WebAddress.Parse("x.y.kawasaki.jp", icann).Domain);
        Assert.Equal("city.kawasaki.jp", WebAddress.Parse("a.city.kawasaki.jp", icann).Domain);
        File.WriteAllText(folder["empty"], "// nothing\n");
        Assert.Throws<InvalidDataException>(() => PublicSuffixes.Load(folder["empty"], hosting: true));
    }

    [Fact]
    public void Substring_automaton_equals_a_search_for_each()
    {
        var random = new Random(3);
        string Word(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => "ab1"[random.Next(3)]));
        for (var round = 0; round < 300; round++)
        {
            var words = Enumerable.Range(0, random.Next(1, 6)).Select(_ => Word(random.Next(1, 5))).ToList();
            var text = Word(random.Next(0, 12));
            Assert.Equal(words.Exists(w => text.Contains(w, StringComparison.Ordinal)), new AhoCorasick(words).OccursIn(text));
        }
        Assert.True(new AhoCorasick(["abc"]).OccursIn("x-A.b/C"));
        Assert.False(new AhoCorasick([]).OccursIn("anything"));
    }

    [Fact]
    public void Bundled_lists_drop_spam_and_leave_decent_addresses()
    {
        var filter = new UrlFilter();
        foreach (var url in new[]
        {
            "https://en.wikipedia.org/wiki/Essex", "https://www.nature.com/articles/s41586-020-2649-2",
            "https://arsenal.com/analysis",
            "https://www.scunthorpe.gov.uk/", "https://github.com/dotnet/runtime",
            "https://www.bbc.co.uk/news/world-europe-12345",
            "https://www.middlesex.ac.uk/analysis/cocktail-recipes", "https://python.org/dev/peps/pep-0008/",
        })
            Assert.Null(filter.Reject(At(url)));
        Assert.Equal("hard_blacklisted", filter.Reject(At("https://example.com/free-porn/")));
        Assert.Equal("blacklisted_subword", filter.Reject(At("https://bestonlinecasino77.example/")));
        Assert.Equal("soft_blacklisted", filter.Reject(At("https://example.com/hot-girls-cheap-webcam")));
    }

    [Fact]
    public void Precision_filter_keeps_by_address_or_words()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["words"], "Hund\nkatzn\n");
        var filter = new LanguageUrlFilter
        {
            LanguageCodes = ["bar"], CountryDomains = ["at"], UrlSubstrings = ["boarisch"], WordList = folder["words"],
        };
        foreach (var url in new[]
        {
            "https://bar.wikipedia.org/", "https://x.org/?lang=bar", "https://x.org/BAR-x", "https://orf.at/x",
            "https://x.org/boa-risch",
        })
            Assert.Null(filter.Reject(At(url, "nothing here")));
        foreach (var url in new[] { null, "https://barber.org/", "https://x.org/at", "https://cat/" })
        {
            Assert.Equal("language_precision", filter.Reject(At(url, "nothing here, hund")));
            Assert.Null(filter.Reject(At(url, "nothing but a Hund here.")));
        }
        Assert.Empty(filter.Validate());
        Assert.NotEmpty(new LanguageUrlFilter().Validate());
    }

    [Fact]
    public void Any_address_is_judged()
    {
        var random = new Random(5);
        var filter = new UrlFilter();
        for (var i = 0; i < 2000; i++)
        {
            var url = string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ =>
                "/:.@[]?#a9-é\uD800%\\"[random.Next(15)]));
            _ = filter.Reject(At(url));
        }
        _ = filter.Reject(At("http://" + new string('.', 100_000)));
        _ = filter.Reject(At(string.Concat(Enumerable.Repeat("a.", 50_000))));
    }
}
