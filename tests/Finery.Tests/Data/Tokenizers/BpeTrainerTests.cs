using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

public class BpeTrainerTests
{
    private static readonly Dictionary<byte[], long> Golden = new()
    {
        ["low"u8.ToArray()] = 5, [" low"u8.ToArray()] = 2, ["lower"u8.ToArray()] = 2, [" newest"u8.ToArray()] = 6,
        [" widest"u8.ToArray()] = 3, ["aaaa"u8.ToArray()] = 1,
    };

    [Theory]
    [InlineData(TokenIdOrder.SpecialFirst, "es lo est low ew new Ġnew Ġnewest aa dest idest widest")]
    [InlineData(TokenIdOrder.BytesFirst, "es lo est low Ġn ew Ġnew Ġnewest Ġw aa dest idest")]
    public void Golden_merges_with_the_id_order_of_HF_and_that_of_raw_bytes(TokenIdOrder order, string expected)
    {
        var tokenizer = new BpeTrainer { VocabSize = 256 + 12, SpecialTokens = [], MinFrequency = 1, IdOrder = order }.Train(Golden);
        Assert.Equal(expected, string.Join(' ', Enumerable.Range(256, 12).Select(tokenizer.TokenText)));
        Assert.Equal(12, tokenizer.Model.Merges.Length);
    }

    [Theory]
    [InlineData(TokenIdOrder.SpecialFirst)]
    [InlineData(TokenIdOrder.BytesFirst)]
    public void Overlapping_pairs_merge_left_to_right(TokenIdOrder order)
    {
        var counts = new Dictionary<byte[], long> { ["aaa"u8.ToArray()] = 3 };
        var tokenizer = new BpeTrainer { VocabSize = 258, SpecialTokens = [], MinFrequency = 1, IdOrder = order }.Train(counts);
        Assert.Equal([257], tokenizer.Encode("aaa"));
        Assert.Equal([256, 256], tokenizer.Encode("aaaa"));
        Assert.Equal([256, 257], tokenizer.Encode("aaaaa"));
    }

    [Fact]
    public void Bytes_first_puts_raw_bytes_then_merges_then_control_tokens()
    {
        var tokenizer = new BpeTrainer { VocabSize = 300, IdOrder = TokenIdOrder.BytesFirst }.Train(Samples.Texts(300));
        Assert.Equal(300, tokenizer.VocabSize);
        for (int value = 0; value < 256; value++) Assert.Equal([(byte)value], tokenizer.TokenBytes(value).ToArray());
        Assert.Equal(ControlTokens.All, Enumerable.Range(295, 5).Select(tokenizer.TokenText));
        Assert.Equal([295, .. tokenizer.Encode("the value")], tokenizer.Encode("<|begin_of_text|>the value", allowSpecial: true));
        Assert.Equal(295, tokenizer.BosId);
    }

    [Fact]
    public void Ids_are_special_tokens_then_bytes_by_mapped_character_then_merges()
    {
        var tokenizer = Samples.Tokenizer;
        Assert.Equal(ControlTokens.All, Enumerable.Range(0, 5).Select(tokenizer.TokenText));
        foreach (var (value, index) in new (byte, int)[] { (0x21, 0), (0x41, 32), (0xFF, 187), (0, 188), (0x0A, 198),
            (0x20, 220), (0xAD, 255) })
            Assert.Equal([value], tokenizer.TokenBytes(5 + index).ToArray());
        Assert.Equal("Ċ", tokenizer.TokenText(5 + 198));
        Assert.Equal("Ġ", tokenizer.TokenText(5 + 220));
        Assert.Equal("Ń", tokenizer.TokenText(5 + 255));
    }

    [Fact]
    public void Same_bytes_for_any_thread_count_and_order()
    {
        string[] texts = Samples.Texts(300);
        string expected = TokenizerFile.ToJson(new BpeTrainer { VocabSize = 500, Threads = 1 }.Train(texts));
        foreach (int threads in new[] { 2, 5 })
            Assert.Equal(expected, TokenizerFile.ToJson(
                new BpeTrainer { VocabSize = 500, Threads = threads }.Train(texts.Reverse())));
    }

    [Fact]
    public void Agrees_with_a_trainer_that_recounts_everything_at_each_step()
    {
        string[] texts = Samples.Texts(40);
        var tokenizer = new BpeTrainer { VocabSize = 400, SpecialTokens = [] }.Train(texts);
        var words = texts.SelectMany(text => PreTokenizer.Split(text, SplitPattern.Llama3)).CountBy(chunk => chunk)
            .Select(word => (Count: (long)word.Value, Ids: Encoding.UTF8.GetBytes(word.Key)
                .Select(b => tokenizer.IdOf(ByteAlphabet.ToChar(b).ToString())!.Value).ToList()))
            .ToList();
        foreach (var (left, right) in tokenizer.Model.Merges)
        {
            var best = words.SelectMany(word => word.Ids.Zip(word.Ids.Skip(1)).Select(pair => (pair, word.Count)))
                .GroupBy(item => item.pair, item => item.Count).Select(group => (Pair: group.Key, Count: group.Sum()))
                .OrderByDescending(item => item.Count).ThenBy(item => item.Pair).First();
            Assert.Equal((left, right), best.Pair);
            int merged = tokenizer.IdOf(tokenizer.TokenText(left) + tokenizer.TokenText(right))!.Value;
            foreach (var word in words)
            {
                for (int i = 0; i + 1 < word.Ids.Count; i++)
                {
                    if ((word.Ids[i], word.Ids[i + 1]) != (left, right)) continue;
                    word.Ids[i] = merged;
                    word.Ids.RemoveAt(i + 1);
                }
            }
        }
    }

    [Fact]
    public void Settings_hold()
    {
        string[] texts = Samples.Texts(200);
        var frequent = new BpeTrainer { VocabSize = 5000, MinFrequency = 100 }.Train(texts);
        Assert.InRange(frequent.VocabSize, 262, 1000);
        var narrow = new BpeTrainer { VocabSize = 1000, MaxTokenLength = 4 }.Train(texts);
        Assert.Equal(3, Enumerable.Range(0, narrow.VocabSize).Max(narrow.ByteLength));
        var capped = new BpeTrainer { VocabSize = 1000, MinFrequency = 1, MaxDocumentChars = 3, MaxCorpusChars = 5 }.Train(
            ["abcdef", "ghijkl", "mno"]);
        Assert.Equal(["ab", "gh", "abc"], Enumerable.Range(261, capped.VocabSize - 261).Select(capped.TokenText));
    }

    [Fact]
    public void Counts_go_beyond_32_bits()
    {
        var counts = new Dictionary<byte[], long>
        {
            ["ab"u8.ToArray()] = 3_000_000_000, ["xab"u8.ToArray()] = 3_000_000_000, // together beyond unsigned 32 bits, too
            ["cd"u8.ToArray()] = 5_999_999_999, ["ef"u8.ToArray()] = 1L << 61,
        };
        var tokenizer = new BpeTrainer { VocabSize = 259, SpecialTokens = [], MinFrequency = 5_999_999_999 }.Train(counts);
        Assert.Equal(["ef", "ab", "cd"], Enumerable.Range(256, 3).Select(tokenizer.TokenText));
        Assert.Equal(258, new BpeTrainer { VocabSize = 300, SpecialTokens = [], MinFrequency = 6_000_000_000 }.Train(counts).VocabSize);
    }

    [Fact]
    public void Rare_chunks_are_left_out_when_memory_runs_out_in_the_same_way_for_any_thread_count()
    {
        var random = new Random(5);
        string[] texts = [.. Enumerable.Range(0, 40).Select(_ => string.Concat(Enumerable.Range(0, 20_000)
            .Select(_ => Math.Pow(random.NextDouble(), 8) * 1e6).Select(word => " w" + Letters((int)word))))];
        BpeTraining Train(int threads, long memory) =>
            new BpeTrainer { VocabSize = 2000, Threads = threads, MaxMemory = memory, EpochBatches = 2 }.Run(texts);
        var whole = Train(2, long.MaxValue);
        Assert.Equal(0, whole.DroppedChunks);
        Assert.Equal(40 * 20_000, whole.Chunks);
        Assert.True(whole.DistinctChunks > 100_000, "too few chunks to empty the tables of a thread often");
        var capped = Train(1, 8 << 20);
        Assert.True(capped.DroppedChunks > 0 && capped.DroppedOccurrences >= capped.DroppedChunks);
        Assert.InRange(capped.DistinctChunks, 1000, whole.DistinctChunks - 1);
        foreach (int threads in new[] { 2, 5 })
        {
            var other = Train(threads, 8 << 20);
            Assert.Equal(TokenizerFile.ToJson(capped.Tokenizer), TokenizerFile.ToJson(other.Tokenizer));
            Assert.Equal((capped.DroppedChunks, capped.DistinctChunks), (other.DroppedChunks, other.DistinctChunks));
        }
        Assert.Equal(TokenizerFile.ToJson(whole.Tokenizer), TokenizerFile.ToJson(Train(1, long.MaxValue).Tokenizer));
    }

    private static string Letters(int number) =>
        number == 0 ? "" : Letters(number / 26) + (char)('a' + (number % 26));

    [Fact]
    public void Cancelling_ends_counting_and_merging()
    {
        using var stop = new CancellationTokenSource();
        var trainer = new BpeTrainer { VocabSize = 1000, Threads = 2 };
        var merging = new Stopper(stop);
        Assert.Throws<OperationCanceledException>(() => trainer.Run(Samples.Texts(300), merging, stop.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => trainer.Run(Samples.Texts(300), null, stop.Token));
    }

    private sealed class Stopper(CancellationTokenSource stop) : IProgress<BpeProgress>
    {
        public void Report(BpeProgress value) => stop.Cancel();
    }

    [Fact]
    public void No_token_contains_the_text_of_a_control_token()
    {
        string[] texts = [.. Enumerable.Repeat("say <end of> now, xhellox shello hello_", 20)];
        var tokenizer = new BpeTrainer { VocabSize = 600, SpecialTokens = ["<end of>", "hello", " of"] }.Train(texts);
        for (int id = 3; id < tokenizer.VocabSize; id++)
        {
            string token = Encoding.Latin1.GetString(tokenizer.TokenBytes(id));
            Assert.DoesNotContain("hello", token);
            Assert.DoesNotContain(" of", token);
        }
    }

    [Fact]
    public void Ordinary_text_never_becomes_a_control_token()
    {
        var tokenizer = new BpeTrainer { VocabSize = 300, SpecialTokens = ["hello"], MinFrequency = 1 }.Train(
            ["hello hello hello"]);
        Assert.DoesNotContain(0, tokenizer.Encode("hello"));
        Assert.Equal("hello", tokenizer.Decode(tokenizer.Encode("hello")));
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        Assert.Throws<InvalidDataException>(() => new BpeTrainer().Train([]));
        Assert.Throws<InvalidDataException>(() => new BpeTrainer().Train([""]));
        Assert.Throws<InvalidDataException>(() => new BpeTrainer { MaxMemory = 100 }.Train(["a b c d"]));
        Assert.Contains("261", Assert.Throws<ArgumentException>(() => new BpeTrainer { VocabSize = 260 }.Train(["a"])).Message);
        Assert.Throws<ArgumentException>(() => new BpeTrainer { SpecialTokens = ["<a>", "<a>"] }.Train(["a"]));
        Assert.Throws<IOException>(() => new BpeTrainer()
            .Train(Enumerable.Range(0, 3).Select<int, string>(_ => throw new IOException("disk"))));
    }

    [Fact]
    public void Progress_ends_at_the_vocabulary()
    {
        var reports = new List<BpeProgress>();
        var tokenizer = new BpeTrainer { VocabSize = 400 }.Train(Samples.Texts(50), new Recorder(reports));
        Assert.Equal(tokenizer.VocabSize, reports[^1].Tokens);
        Assert.Equal(Samples.Texts(50).Sum(text => (long)text.Length), reports[^1].Characters);
    }

    private sealed class Recorder(List<BpeProgress> reports) : IProgress<BpeProgress>
    {
        public void Report(BpeProgress value) => reports.Add(value);
    }
}
