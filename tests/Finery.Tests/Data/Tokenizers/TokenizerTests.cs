using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

public class TokenizerTests
{
    private static readonly Tokenizer Tokenizer = Samples.Tokenizer;

    [Fact]
    public void Decode_of_encode_is_the_text()
    {
        var random = new Random(3);
        for (int round = 0; round < 2000; round++)
        {
            string text = RandomText.Next(random, random.Next(60));
            string expected = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            Assert.Equal(expected, Tokenizer.Decode(Tokenizer.Encode(text)));
            Assert.Equal(expected, Tokenizer.Decode(Tokenizer.Encode(text, allowSpecial: true), skipSpecial: false));
        }
    }

    [Fact]
    public void Encode_is_the_naive_merge_by_rank()
    {
        var random = new Random(4);
        for (int round = 0; round < 10_000; round++)
        {
            string text = RandomText.Next(random, random.Next(20));
            Assert.Equal(Naive(text), Tokenizer.Encode(text));
        }
    }

    [Fact]
    public void Long_chunks_give_the_same_ids_as_the_naive_merge()
    {
        var random = new Random(5);
        for (int round = 0; round < 40; round++) // one chunk: letters only; lengths on both sides of the heap's threshold
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(10, 400)).Select(_ => "aehnrstvulgd"[random.Next(12)]));
            Assert.Equal(Naive(text), Tokenizer.Encode(text));
        }
    }

    [Fact]
    public void A_million_equal_letters_are_encoded_at_once()
    {
        var tokenizer = new BpeTrainer { VocabSize = 300, MinFrequency = 1 }.Train([new string('x', 4096)]);
        int[] ids = tokenizer.Encode(new string('x', 1_000_000));
        Assert.Equal(1_000_000, ids.Sum(tokenizer.ByteLength));
        Assert.InRange(ids.Length, 1, 1000);
    }

    [Fact]
    public void Special_text_is_ordinary_unless_allowed()
    {
        const string Text = "a<|im_end|>b<|im_start|><|im_<|pad|>";
        Assert.All(Tokenizer.Encode(Text), id => Assert.False(Tokenizer.IsSpecial(id)));
        int[] ids = Tokenizer.Encode(Text, allowSpecial: true);
        Assert.Equal([3, 2, 4], ids.Where(Tokenizer.IsSpecial));
        Assert.Equal("ab<|im_", Tokenizer.Decode(ids));
        Assert.Equal(Text, Tokenizer.Decode(ids, skipSpecial: false));
        Assert.Equal(7, ids.Sum(Tokenizer.ByteLength));
    }

    [Fact]
    public void Added_tokens_match_leftmost_longest_and_plain_ones_always()
    {
        var tokenizer = new Tokenizer(Tokenizer.Model with
        {
            Tokens = [.. Tokenizer.Model.Tokens, "<x>", "<x>y", "<think>"],
            Added = [.. Tokenizer.Model.Added, new(600, "<x>"), new(601, "<x>y"), new(602, "<think>", Special: false)],
        });
        Assert.Equal([601, 600], tokenizer.Encode("<x>y<x>", allowSpecial: true));
        Assert.Equal([602], tokenizer.Encode("<think>"));
        Assert.Equal("<think>", tokenizer.Decode([602]));
        Assert.Equal(7, tokenizer.ByteLength(602));
    }

    [Fact]
    public void Many_threads_encode_the_same()
    {
        string[] texts = Samples.Texts(200);
        int[][] expected = [.. texts.Select(text => Tokenizer.Encode(text))];
        var actual = new int[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
            actual[i] = Tokenizer.Encode(texts[i]));
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Streaming_never_emits_half_a_character()
    {
        const string Text = "naïve 👩‍👩‍👧 日本語 😉";
        var ids = Encoding.UTF8.GetBytes(Text).Select(b => Tokenizer.Model.Tokens.IndexOf(ByteAlphabet.ToChar(b).ToString()))
            .ToArray();
        var decoder = new StreamingDecoder(Tokenizer);
        var parts = ids.Select(decoder.Push).ToList();
        Assert.Equal("", decoder.Flush());
        Assert.Equal(Text, string.Concat(parts));
        Assert.All(parts, part => Assert.Equal(part, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(part))));

        foreach (int id in ids[..^1]) decoder.Push(id);
        Assert.Equal("\uFFFD", decoder.Flush());
    }

    [Fact]
    public void Streaming_any_ids_equals_decoding_them()
    {
        var random = new Random(6);
        for (int round = 0; round < 500; round++)
        {
            int[] ids = [.. Enumerable.Range(0, 30).Select(_ => random.Next(Tokenizer.VocabSize))];
            var decoder = new StreamingDecoder(Tokenizer, skipSpecial: false);
            Assert.Equal(Tokenizer.Decode(ids, skipSpecial: false), string.Concat(ids.Select(decoder.Push)) + decoder.Flush());
        }
    }

    [Fact]
    public void Ranges_are_the_bytes_each_token_covers()
    {
        var random = new Random(8);
        for (int round = 0; round < 500; round++)
        {
            string text = RandomText.Next(random, random.Next(40));
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            var (ids, ranges) = (new List<int>(), new List<(int Start, int End)>());
            Tokenizer.Encode(text, ids, ranges, allowSpecial: true);
            Assert.Equal(Tokenizer.Encode(text, allowSpecial: true), ids);
            Assert.Equal(ids.Select(id => Tokenizer.DecodedBytes(id, skipSpecial: false).ToArray()),
                ranges.Select(range => utf8[range.Start..range.End]));
        }
    }

    [Fact]
    public void Bytes_encode_as_the_text_they_are()
    {
        var random = new Random(9);
        for (int round = 0; round < 500; round++)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(RandomText.Next(random, random.Next(40)));
            if (round % 2 == 1 && utf8.Length > 0) utf8[random.Next(utf8.Length)] = (byte)random.Next(256); // rarely valid still
            var ids = new List<int>();
            Tokenizer.Encode(utf8, ids, allowSpecial: true);
            Assert.Equal(Tokenizer.Encode(Encoding.UTF8.GetString(utf8), allowSpecial: true), ids);
        }
    }

    [Fact]
    public void Roles_and_sizes_are_known()
    {
        Assert.Equal((0, 1, 4), (Tokenizer.BosId, Tokenizer.EosId, Tokenizer.PadId));
        Assert.Equal(600, Tokenizer.VocabSize);
        Assert.Equal(0, Tokenizer.ByteLength(0));
        Assert.Null(Tokenizer.IdOf("no such token"));
        Assert.True(Tokenizer.BytesPerToken("the value of the stream") > 3);
        Assert.Equal(0, Tokenizer.BytesPerToken(""));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.Decode([600]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.TokenText(-1));
    }

    private static List<int> Naive(string text)
    {
        var ranks = Tokenizer.Model.Merges.Select((pair, rank) => (pair, rank))
            .ToDictionary(item => item.pair, item => item.rank);
        var ids = new List<int>();
        foreach (string chunk in PreTokenizer.Split(text, SplitPattern.Llama3))
        {
            var word = Encoding.UTF8.GetBytes(chunk).Select(b => Tokenizer.IdOf(ByteAlphabet.ToChar(b).ToString())!.Value)
                .ToList();
            while (true)
            {
                int best = -1, bestRank = int.MaxValue;
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if (ranks.TryGetValue((word[i], word[i + 1]), out int rank) && rank < bestRank) (best, bestRank) = (i, rank);
                }
                if (best < 0) break;
                word[best] = Tokenizer.IdOf(Tokenizer.TokenText(word[best]) + Tokenizer.TokenText(word[best + 1]))!.Value;
                word.RemoveAt(best + 1);
            }
            ids.AddRange(word);
        }
        return ids;
    }
}
