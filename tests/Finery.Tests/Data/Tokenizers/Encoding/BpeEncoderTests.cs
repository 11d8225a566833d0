using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

public class BpeEncoderTests
{
    private static readonly Tokenizer Tokenizer = Samples.Tokenizer;

    [Fact]
    public void Ids_of_a_chunk_do_not_depend_on_what_stands_around_it_or_was_encoded_before()
    {
        var random = new Random(21);
        for (int length = 1; length <= 70; length++) // both tables of the cache, and beyond
        {
            string chunk = string.Concat(Enumerable.Range(0, length).Select(_ => "aehnrstvulgd"[random.Next(12)]));
            int[] alone = Tokenizer.Encode(chunk);
            Assert.Equal(alone, Tokenizer.Encode(chunk));
            Assert.Equal([.. alone, .. Tokenizer.Encode(".\n"), .. alone], Tokenizer.Encode(chunk + ".\n" + chunk));
        }
    }

    [Fact]
    public void Chunks_that_differ_in_trailing_zeros_are_told_apart()
    {
        foreach (int length in new[] { 1, 7, 15, 16, 17, 30 })
        {
            string symbols = new('=', length);
            for (int zeros = 0; zeros < 4; zeros++)
            {
                string text = symbols + new string('\0', zeros);
                Assert.Equal(text, Tokenizer.Decode(Tokenizer.Encode(text)));
            }
        }
    }

    [Theory]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    public void Chunks_at_the_border_of_the_two_merge_methods_agree(int length)
    {
        var random = new Random(length);
        for (int round = 0; round < 20; round++)
        {
            string chunk = string.Concat(Enumerable.Range(0, length).Select(_ => "theroads"[random.Next(8)]));
            Assert.Equal(Naive(chunk), Tokenizer.Encode(chunk));
        }
    }

    [Theory]
    [InlineData(SplitPattern.Gpt2)]
    [InlineData(SplitPattern.SmolLm)]
    [InlineData(SplitPattern.Qwen2)]
    [InlineData(SplitPattern.Nanochat)]
    public void Chunks_of_every_pattern_are_merged_on_their_own(SplitPattern pattern)
    {
        var tokenizer = new Tokenizer(Tokenizer.Model with { Pattern = pattern });
        var random = new Random(22);
        for (int round = 0; round < 1000; round++)
        {
            string text = RandomText.Next(random, random.Next(20));
            Assert.Equal(PreTokenizer.Split(text, pattern).SelectMany(Naive), tokenizer.Encode(text));
        }
    }

    private static IEnumerable<int> Naive(string chunk)
    {
        var ids = Encoding.UTF8.GetBytes(chunk).Select(b => Tokenizer.IdOf(ByteAlphabet.ToChar(b).ToString())!.Value).ToList();
        var ranks = Tokenizer.Model.Merges.Select((pair, rank) => (pair, rank)).ToDictionary(item => item.pair, item => item.rank);
        while (true)
        {
            int best = -1, lowest = int.MaxValue;
            for (int i = 0; i + 1 < ids.Count; i++)
            {
                if (ranks.TryGetValue((ids[i], ids[i + 1]), out int rank) && rank < lowest) (best, lowest) = (i, rank);
            }
            if (best < 0) return ids;
            ids[best] = Tokenizer.IdOf(Tokenizer.TokenText(ids[best]) + Tokenizer.TokenText(ids[best + 1]))!.Value;
            ids.RemoveAt(best + 1);
        }
    }
}
