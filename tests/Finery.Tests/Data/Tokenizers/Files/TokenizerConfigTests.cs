using Finery.Data.Tokenizers;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Files;

public sealed class TokenizerConfigTests : IDisposable
{
    private const string Config = """
        {
          "add_bos_token": false,
          "added_tokens_decoder": {
            "269": {
              "content": "<s>",
              "lstrip": false,
              "special": true
            }
          },
          "additional_special_tokens": [],
          "bos_token": {
            "__type": "AddedToken",
            "content": "<s>"
          },
          "chat_template": "{{ 'é\n<' }}",
          "eos_token": null,
          "extra": 1e-06,
          "model_max_length": 1000000000000000019884624838656,
          "unk_token": "<s>"
        }
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    public void What_was_read_is_written_back(string end)
    {
        string json = Config.ReplaceLineEndings("\n") + end;
        TokenizerConfig config = TokenizerConfigFile.Parse(json);
        Assert.Equal(("<s>", null, "<s>", false, null), (config.BosToken, config.EosToken, config.UnkToken, config.AddBosToken, config.ModelMaxLength));
        Assert.Equal("{{ 'é\n<' }}", config.ChatTemplate);
        Assert.Equal(json, TokenizerConfigFile.ToJson(config));
        Assert.Equal(config, TokenizerConfigFile.Parse(json));
    }

    [Fact]
    public void Changes_are_written_where_they_belong()
    {
        TokenizerConfig config = TokenizerConfigFile.Parse(Config) with
        {
            BosToken = null,
            EosToken = "</s>",
            PadToken = "<pad>",
            ModelMaxLength = 512,
            ChatTemplate = null,
        };
        string json = TokenizerConfigFile.ToJson(config);
        Assert.Contains("\"bos_token\": null,\n  \"eos_token\": \"</s>\",\n  \"extra\": 1e-06,\n  \"model_max_length\": 512,\n  \"pad_token\": \"<pad>\",\n", json);
        Assert.DoesNotContain("chat_template", json);
        TokenizerConfig again = TokenizerConfigFile.Parse(json);
        Assert.Equal(config, again);
        Assert.Equal((null, "</s>", "<pad>", 512L, null), (again.BosToken, again.EosToken, again.PadToken, again.ModelMaxLength, again.ChatTemplate));
    }

    [Fact]
    public void Of_several_templates_the_default_counts()
    {
        const string Json = """{"chat_template":[{"name":"default","template":"A"},{"name":"tool_use","template":"B"}]}""";
        TokenizerConfig config = TokenizerConfigFile.Parse(Json);
        Assert.Equal("A", config.ChatTemplate);
        Assert.Equal(["default", "tool_use"], config.NamedTemplates.Select(item => item.Name));
        TokenizerConfig changed = TokenizerConfigFile.Parse(TokenizerConfigFile.ToJson(config with { ChatTemplate = "C" }));
        Assert.Equal([new("default", "C"), new("tool_use", "B")], changed.NamedTemplates);
    }

    [Fact]
    public void A_folder_with_all_files_is_written_back()
    {
        string from = Write(("tokenizer.json", SmallFiles.Of("llama3")), ("tokenizer_config.json", SmallFiles.Pretty("""{"eos_token":"<|eot|>"}""")),
            ("special_tokens_map.json", """{"bos_token":{"content":"<s>"},"eos_token":"<none>"}"""), ("chat_template.jinja", "{{ x }}"));
        Tokenizer tokenizer = TokenizerFile.Load(from);
        Assert.Equal(("<s>", "<|eot|>", "{{ x }}"), (tokenizer.Config.BosToken, tokenizer.Config.EosToken, tokenizer.Config.ChatTemplate));
        string to = _folder["saved"];
        TokenizerFile.Save(tokenizer, to);
        Assert.Equal(Directory.GetFiles(from).Select(Path.GetFileName).Order(), Directory.GetFiles(to).Select(Path.GetFileName).Order());
        foreach (string path in Directory.GetFiles(from))
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(Path.Combine(to, Path.GetFileName(path))));

        TokenizerFile.Save(tokenizer.WithConfig(tokenizer.Config with { ChatTemplate = null, BosToken = null }), to);
        Tokenizer plain = TokenizerFile.Load(to);
        Assert.Equal((null, null), (plain.Config.ChatTemplate, plain.Config.BosToken));
        Assert.False(File.Exists(Path.Combine(to, "chat_template.jinja")));
    }

    [Fact]
    public void Added_tokens_must_be_those_of_the_tokenizer()
    {
        string folder = Write(("tokenizer.json", SmallFiles.Of("llama3")),
            ("tokenizer_config.json", """{"added_tokens_decoder":{"271":{"content":"<new>"}}}"""));
        Assert.Contains("\"<new>\" the id 271", Assert.Throws<InvalidDataException>(() => TokenizerFile.Load(folder)).Message);
    }

    [Fact]
    public void Older_files_load_as_GPT_2()
    {
        var gpt2 = TokenizerFile.Parse(SmallFiles.Of("gpt2"));
        string vocabulary = "{" + string.Join(',', Enumerable.Range(0, 269).Select(id => $"{JsonPrinter.Quote(gpt2.TokenText(id))}: {id}"))
            + ", \"<|endoftext|>\": 269}";
        string merges = "#version: 0.2\n" + string.Concat(gpt2.Model.Merges.Select(merge =>
            $"{gpt2.TokenText(merge.Left)} {gpt2.TokenText(merge.Right)}\n"));
        Tokenizer tokenizer = TokenizerFile.Load(Write(("vocab.json", vocabulary), ("merges.txt", merges)));
        Assert.Equal(("<|endoftext|>", SplitPattern.Gpt2), (tokenizer.Config.EosToken, tokenizer.Pattern!.Value));
        const string Text = "hello world<|endoftext|>é";
        Assert.Equal(gpt2.Encode(Text, allowSpecial: true), tokenizer.Encode(Text, allowSpecial: true));
        Assert.Contains("\"a b c\"", Assert.Throws<InvalidDataException>(() =>
            VocabularyFiles.Parse(vocabulary, merges + "a b c", null)).Message);
    }

    private string Write(params (string Name, string Text)[] files)
    {
        string folder = _folder["model"];
        Directory.CreateDirectory(folder);
        foreach (var (name, text) in files) File.WriteAllText(Path.Combine(folder, name), text);
        return folder;
    }
}
