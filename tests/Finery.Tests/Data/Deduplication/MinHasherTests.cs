using System.Security.Cryptography;
using System.Text;
using Finery.Data.Deduplication;
using Xunit;

namespace Finery.Tests.Data.Deduplication;

public sealed class MinHasherTests
{
    private const string Bank = "the quick brown fox jumps over the lazy dog near the river bank";
    private const string Shore = "the quick brown fox jumps over the lazy dog near the river shore";

    private static ulong[] Sign(MinHasher hasher, string text)
    {
        var signature = new ulong[hasher.Count];
        hasher.Sign(hasher.Shingles(text).ToArray(), signature);
        return signature;
    }

    private static MinHasher Reference(ShingleHash hash) => new(5, 112, 1, hash);

    [Fact]
    public void Multipliers_and_offsets_equal_the_reference()
    {
        // internals are checked through a single shingle: hash(0) leaves b mod p
        var hasher = Reference(ShingleHash.XxHash64);
        var offsets = new ulong[112];
        hasher.Sign([0UL], offsets);
        Assert.Equal(
            [1062448801025099917UL, 1324811268927594100, 1217488311597731462, 100775521383383736], offsets[..4]);
        Assert.Equal(1097409548522419201UL, offsets[111]);
        var sums = new ulong[112];
        hasher.Sign([1UL], sums);
        const ulong prime = (1UL << 61) - 1;
        Assert.Equal(775169054918279404UL, (sums[0] + prime - offsets[0]) % prime);
        Assert.Equal(1758426461858698313UL, (sums[1] + prime - offsets[1]) % prime);
        Assert.Equal(2109959069025162UL, (sums[2] + prime - offsets[2]) % prime);
        Assert.Equal(965365488286768774UL, (sums[3] + prime - offsets[3]) % prime);
        Assert.Equal(223865076026037746UL, (sums[111] + prime - offsets[111]) % prime);
    }

    [Fact]
    public void Sha1_signature_equals_the_reference()
    {
        var hasher = Reference(ShingleHash.Sha1);
        var shingles = hasher.Shingles(Bank);
        Assert.Equal(9, shingles.Count);
        Assert.Equal(12313522834835307089UL, shingles[0]);
        var signature = Sign(hasher, Bank);
        Assert.Equal(
            [197166454002902972UL, 284080765670708113, 96549057967596277, 226360113463360020,
             42312182183823545, 169000609679892039, 73066559689472396, 121981082476695592], signature[..8]);
        Assert.Equal(
            [164139703210280404UL, 29074511532028102, 126148420424728747, 414462609176291742,
             126121000087970439, 404162727557050195, 306993506350509109, 459059667290475394], signature[104..]);
    }

    [Fact]
    public void XxHash_signature_equals_the_reference()
    {
        var hasher = Reference(ShingleHash.XxHash64);
        Assert.Equal(7797000677988824208UL, hasher.Shingles(Bank)[0]);
        Assert.Equal(
            [85330943174081874UL, 53782044765694948, 285742329127442222, 34440879854629237,
             824349532772971887, 77381120859862210, 495754016648651698, 204404170303891102], Sign(hasher, Bank)[..8]);
    }

    [Fact]
    public void One_word_changed_leaves_buckets_0_1_and_7_equal()
    {
        var hasher = Reference(ShingleHash.Sha1);
        var (a, b) = (Sign(hasher, Bank), Sign(hasher, Shore));
        Assert.Equal(91, a.Zip(b).Count(p => p.First == p.Second));
        Assert.Equal([0, 1, 7], Enumerable.Range(0, 14).Where(i => a.AsSpan(i * 8, 8).SequenceEqual(b.AsSpan(i * 8, 8))));
    }

    [Fact]
    public void Vector_widths_and_plain_arithmetic_agree_at_the_edges()
    {
        var random = new Random(5);
        foreach (var count in new[] { 1, 3, 4, 7, 8, 9, 13, 112 })
        {
            var hasher = new MinHasher(5, count, 7);
            var shingles = Enumerable.Range(0, 50).Select(_ => (ulong)random.NextInt64()).Append(0UL)
                .Append(ulong.MaxValue).Append((1UL << 61) - 1).ToArray();
            var signature = new ulong[count];
            hasher.Sign(shingles, signature);
            var offsets = new ulong[count];
            hasher.Sign([0UL], offsets);
            var first = new ulong[count];
            foreach (var shingle in shingles)
            {
                var one = new ulong[count];
                hasher.Sign([shingle], one);
                for (var k = 0; k < count; k++)
                    first[k] = first[k] == 0 ? one[k] : Math.Min(first[k], one[k]);
            }
            Assert.Equal(first, signature);
            Assert.All(signature, value => Assert.True(value < (1UL << 61) - 1));
        }
    }

    [Fact]
    public void Xxhash64_equals_the_published_vectors()
    {
        Assert.Equal(2794345569481354659UL, XxHash64.Hash("hello"u8));
        Assert.Equal(0xEF46DB3751D8E999UL, XxHash64.Hash([]));
        Assert.Equal(0x44BC2CF5AD770999UL, XxHash64.Hash("abc"u8));
        // every tail length and the 32-byte loop agree with themselves under a seed and differ from each other
        var data = SHA512.HashData("x"u8);
        var hashes = Enumerable.Range(0, 64).Select(n => XxHash64.Hash(data.AsSpan(0, n), 9)).ToList();
        Assert.Equal(64, hashes.Distinct().Count());
    }

    [Theory]
    [InlineData("|$17.56||1|\n|$15.37||2599|", "0 0 0 0")]
    [InlineData("PUNCTUATION", "punctuation")]
    [InlineData("Café — 1,234.56 İstanbul ½ ٣٫٥!", "cafe 0 0 istanbul ½ 0")]
    [InlineData("  Hello,   WORLD!  ", "hello world")]
    [InlineData("ΟΔΟΣ σ", "οδος σ")]
    [InlineData("", "")]
    [InlineData("...", "")]
    [InlineData("a \u0301 b", "a b")]
    public void Text_is_simplified_as_the_reference_does(string text, string expected) =>
        Assert.Equal(expected, SimplifiedText.Of(text));

    [Fact]
    public void Simplifying_decomposes_hangul_and_kana()
    {
        Assert.Equal("\u1112\u1161\u11AB\u1100\u116E\u11A8 \u30AB", SimplifiedText.Of("한국 ガ"));
    }

    [Fact]
    public void Simplifying_all_of_ascii_is_the_same_on_the_fast_and_the_general_path()
    {
        var random = new Random(3);
        for (var i = 0; i < 2000; i++)
        {
            var text = new StringBuilder();
            for (var n = random.Next(40); n > 0; n--)
                text.Append("0123.,, aB\t\n$%+"[random.Next(15)]);
            var fast = SimplifiedText.Of(text.ToString());
            Assert.Equal((fast + " é").Trim() is "é" ? "e" : fast + " e", SimplifiedText.Of(text + " é"));
        }
    }

    [Fact]
    public void Texts_shorter_than_a_shingle_have_none()
    {
        Assert.Empty(Reference(ShingleHash.XxHash64).Shingles("only four words here"));
        Assert.Single(new MinHasher(4, 8, 1).Shingles("only four words here"));
        Assert.Empty(new MinHasher(1, 8, 1).Shingles(" ... "));
    }

    [Fact]
    public void Signatures_of_32_bits_equal_the_reference()
    {
        var hasher = new MinHasher(5, 112, 1, ShingleHash.Sha1, 32, tokenize: true);
        Assert.Equal(499578026UL, new MinHasher(1, 8, 1, ShingleHash.Sha1, 32, tokenize: true).Shingles("hello").Single());
        Assert.Equal(
            [363782059UL, 1205137090, 1177392338, 394674840, 305326446, 121714251, 38973575, 435590541], Sign(hasher, Bank)[..8]);
    }

    [Fact]
    public void Xxhash32_equals_the_published_vectors()
    {
        Assert.Equal(0x02CC5D05U, XxHash32.Hash([]));
        Assert.Equal(0x32D153FFU, XxHash32.Hash("abc"u8));
        Assert.Equal(0xFB0077F9U, XxHash32.Hash("hello"u8));
    }

    [Fact]
    public void Sha1_in_lanes_equals_the_library()
    {
        var random = new Random(4);
        var lanes = new Sha1Lanes();
        var messages = Enumerable.Range(0, 1003).Select(i => new byte[i < 70 ? i : random.Next(90)]).ToArray();
        var results = new ulong[messages.Length];
        for (var i = 0; i < messages.Length; i++)
        {
            random.NextBytes(messages[i]);
            lanes.Add(messages[i], results, i);
        }
        lanes.Finish(results);
        Assert.Equal(messages.Select(m => BitConverter.ToUInt64(SHA1.HashData(m))), results);
        lanes.Add("hello"u8, results, 0);
        lanes.Finish(results);
        Assert.Equal(11738849977924252842UL, results[0]);
    }

    [Fact]
    public void Words_that_the_reference_cuts_are_cut_in_shingles_too()
    {
        // what a piece is cut into is for Words to say; all that matters here is that the text is cut the same
        foreach (var text in new[] { "a b c", "don\u2032t stop €5 now", "x\u00B0y z ☃ snow☃man ok", "日本語 テキスト 中文", "" })
        {
            var simplified = SimplifiedText.Of(text);
            var words = Finery.Data.Filters.Words.Split(simplified).Select(r => simplified[r]).ToList();
            var shingles = new MinHasher(1, 8, 1, ShingleHash.XxHash64, 64, tokenize: true).Shingles(text);
            Assert.Equal(words.Select(w => XxHash64.Hash(Encoding.UTF8.GetBytes(w))), shingles);
        }
    }

    [Fact]
    public void Shingles_are_slices_of_the_words()
    {
        var random = new Random(6);
        for (var i = 0; i < 300; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(200)).Select(_ => "abcdé ,.1日 \n"[random.Next(12)]));
            var words = SimplifiedText.Of(text).Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var expected = Enumerable.Range(0, Math.Max(0, words.Length - 2))
                .Select(w => XxHash64.Hash(Encoding.UTF8.GetBytes(string.Join(' ', words[w..(w + 3)]))));
            Assert.Equal(expected, new MinHasher(3, 8, 1).Shingles(text));
        }
    }
}
