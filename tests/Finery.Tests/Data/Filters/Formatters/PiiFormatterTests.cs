using System.Text.RegularExpressions;
using Finery.Data;
using Finery.Data.Filters;
using Finery.Data.Filters.Formatters;
using Xunit;

namespace Finery.Tests.Data.Filters.Formatters;

public sealed class PiiFormatterTests
{
    private static readonly PiiFormatter s_marks = new() { EmailReplacements = ["EMAIL"], IpReplacements = ["IP"] };

    private static string Format(DocumentFilter formatter, string text)
    {
        var document = new WorkingDocument(new Document("id", text));
        formatter.Apply(document);
        return document.Text;
    }

    [Theory]
    [InlineData("999.999.999.999.")]
    [InlineData("108.0.0.01")]
    [InlineData("0.1.2.3")]
    [InlineData("00.0000.00.00")]
    [InlineData("192.168.l.1")]
    [InlineData("912.456.123.123")]
    [InlineData("172.16.0.9 172.31.254.254 127.0.0.2 10.0.1.5 10.255.255.254 192.168.254.0")]
    [InlineData("100.64.0.1 169.254.1.1 192.0.0.5 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 240.0.0.1")]
    [InlineData("version 1.2.3")]
    public void Addresses_that_stay(string text) => Assert.Equal(text, Format(s_marks, text));

    [Theory]
    [InlineData(".3.3.3.0", ".IP")]
    [InlineData("a 163.36.107.25, 114.35.103.54", "a IP, IP")]
    [InlineData("57.120.21.121\n13.83.69.70\n29.116.31.158\n193.163.229.23\n211.160.67.46", "IP\nIP\nIP\nIP\nIP")]
    [InlineData("4.132.211.142 214.70.227.4 35.88.121.75", "IP IP IP")]
    [InlineData("100.63.255.255 172.32.0.1 198.20.0.0 239.1.1.1", "IP IP IP IP")]
    [InlineData("8.8.8.256", "IP6")]
    [InlineData("1118.8.8.8", "1IP")]
    public void Public_addresses_are_replaced(string text, string expected) => Assert.Equal(expected, Format(s_marks, text));

    [Theory]
    [InlineData("email@example.com", "EMAIL")]
    [InlineData("firstname.lastname@example.com", "EMAIL")]
    [InlineData("email@subdomain.example.com", "EMAIL")]
    [InlineData("firstname+lastname@example.com", "EMAIL")]
    [InlineData("email@123.123.123.123", "EMAIL")]
    [InlineData("email@[123.123.123.123]", "EMAIL")]
    [InlineData("email@[1.2.3.tag-x:]", "EMAIL")]
    [InlineData("\"email\"@example.com", "\"email\"@example.com")]
    [InlineData("_______@example.com", "EMAIL")]
    [InlineData("NAME@MYSITE.COM", "EMAIL")]
    [InlineData("much.”more\\ unusual”@example.com", "much.”more\\ unusual”@example.com")]
    [InlineData("very.unusual.”@”.unusual.com@example.com", "very.unusual.”@”.EMAIL")]
    [InlineData("#@%^%#$@#$@#.com", "#@%^%#$@#$@#.com")]
    [InlineData("@example.com", "@example.com")]
    [InlineData("Joe Smith <email@example.com>", "Joe Smith <EMAIL>")]
    [InlineData("email@example@example.com", "email@EMAIL")]
    [InlineData(".email@example.com", ".EMAIL")]
    [InlineData("email.@example.com", "email.@example.com")]
    [InlineData("email..email@example.com", "email..EMAIL")]
    [InlineData("あいうえお@example.com", "あいうえお@example.com")]
    [InlineData("email@example", "email@example")]
    [InlineData("email@-example.com", "email@-example.com")]
    [InlineData("email@111.222.333.44444", "EMAIL")]
    [InlineData("email@example..com", "email@example..com")]
    [InlineData("Abc..123@example.com", "Abc..EMAIL")]
    [InlineData("just”not”right@example.com", "just”not”EMAIL")]
    [InlineData("a@b.c-.d", "EMAIL-.d")]
    [InlineData("write to a@b.cd.", "write to EMAIL.")]
    public void E_mail_addresses_of_the_reference(string text, string expected) => Assert.Equal(expected, Format(s_marks, text));

    [Fact]
    public void Replacements_take_turns_within_a_document_only()
    {
        var pii = new PiiFormatter();
        for (var document = 0; document < 2; document++)
        {
            Assert.Equal("email@example.com, firstname.lastname@example.org and email@example.com",
                Format(pii, "a@b.com, c@d.com and e@f.com"));
            Assert.Equal("22.214.171.124 126.96.36.199 188.8.131.52 184.108.40.206 220.127.116.11 18.104.22.168 22.214.171.124",
                Format(pii, "8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8 8.8.8.8"));
        }
        Assert.Equal("a@b.com", Format(pii with { RemoveEmails = false }, "a@b.com"));
        Assert.Equal("IP 01.2.3.4", Format(s_marks with { OnlyPublicIps = false }, "10.0.0.1 01.2.3.4"));
        Assert.Equal("8.8.8.8", Format(pii with { RemoveIps = false }, "8.8.8.8"));
        Assert.Throws<ArgumentException>(() => new PiiFormatter { EmailReplacements = [] });
    }

    [Fact]
    public void Scanners_equal_the_patterns_on_random_text()
    {
        const string local = @"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
        const string octet = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)";
        var email = new Regex($@"\b{local}(?:\.{local})*@(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9]"
            + $@"(?:[A-Za-z0-9-]*[A-Za-z0-9])?|\[(?:{octet}\.){{3}}(?:{octet}|[A-Za-z0-9-]*[A-Za-z0-9]:)])");
        var ip = new Regex($@"(?:{octet}\.){{3}}{octet}");
        var random = new Random(17);
        (string Letters, int Length)[] alphabets =
            [("a1-.@", 14), ("ab.@_-!é ", 16), ("0123456789....", 18), ("12.@[]:a-", 18), ("a@[1.1.1.1]", 20), ("25.0", 16)];
        for (var round = 0; round < 30_000; round++)
        {
            var (letters, length) = alphabets[round % alphabets.Length];
            var text = string.Concat(Enumerable.Range(0, random.Next(length)).Select(_ => letters[random.Next(letters.Length)]));
            Assert.Equal(email.Replace(text, "E"), Format(s_marks with { EmailReplacements = ["E"], RemoveIps = false }, text));
            Assert.Equal(
                ip.Replace(text, m => m.Value.Split('.').Any(o => o.Length > 1 && o[0] == '0') ? m.Value : "P"),
                Format(s_marks with { RemoveEmails = false, IpReplacements = ["P"], OnlyPublicIps = false }, text));
        }
    }

    [Theory]
    [InlineData("call +49 30 901820 now", "call PHONE now")]
    [InlineData("(212) 555-0123", "PHONE")]
    [InlineData("212-555-0123, or 1 212.555.0123", "PHONE, or PHONE")]
    [InlineData("+44 (0)20 7946 0958.", "PHONE.")]
    [InlineData("2024-11-26 12:30", "2024-11-26 12:30")]
    [InlineData("112-555-0123", "112-555-0123")]
    [InlineData("212-055-0123", "212-055-0123")]
    [InlineData("212-555-01234", "212-555-01234")]
    [InlineData("ISBN 978-3-16-148410-0", "ISBN 978-3-16-148410-0")]
    [InlineData("+1234", "+1234")]
    [InlineData("1+12345678901234567890", "1+12345678901234567890")]
    [InlineData("2125550123", "2125550123")]
    public void Telephone_numbers_if_asked(string text, string expected)
    {
        Assert.Equal(expected, Format(new PiiFormatter { RemovePhoneNumbers = true, PhoneReplacements = ["PHONE"] }, text));
        Assert.Equal(text, Format(new PiiFormatter(), text));
    }

    [Theory]
    [InlineData("a.", 1)]
    [InlineData("a@", 1)]
    [InlineData("@", 1)]
    [InlineData("a", 1)]
    [InlineData("a-", 1)]
    [InlineData("1.", 1)]
    [InlineData("1", 1)]
    [InlineData("+1-", 1)]
    [InlineData("!", 1)]
    public void Long_hostile_text_comes_back(string unit, int tail)
    {
        // A pattern with nested repeats would not return within a lifetime.
        var text = string.Concat(Enumerable.Repeat(unit, 100_000)) + new string('@', tail);
        _ = Format(s_marks with { RemovePhoneNumbers = true }, text);
        _ = Format(s_marks with { RemovePhoneNumbers = true }, "x@" + text);
    }
}
