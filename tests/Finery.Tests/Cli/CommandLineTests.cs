using System.Diagnostics;
using System.Text.Json;
using Finery.Models;
using Finery.Tests.Models;
using Finery.Training;
using Xunit;

namespace Finery.Tests.Cli;

/// <summary>The built executable as a child process: streams, exit codes, messages.</summary>
public class CommandLineTests
{
    internal sealed record Outcome(int Code, string Out, string Error);

    [Fact]
    public void Help_lists_the_commands_on_stdout()
    {
        var outcome = Run(["--help"]);
        Assert.Equal(0, outcome.Code);
        Assert.Equal("", outcome.Error);
        string[] commands =
        [
            "quickstart", "run", "runs", "inspect", "doctor", "generate", "chat", "serve", "tokenizer", "pretrain",
        ];
        foreach (string command in commands)
            Assert.Contains($"\n  {command} ", outcome.Out);
    }

    [Fact]
    public void Version_is_one_line()
    {
        var outcome = Run(["--version"]);
        Assert.Equal(0, outcome.Code);
        Assert.Matches(@"^\d+\.\d+\.\d+\S*\r?\n$", outcome.Out);
    }

    [Theory]
    [InlineData("serv", "Did you mean 'serve'?")]
    [InlineData("serve --prt 3", "Did you mean '--port'?")]
    [InlineData("serve --port many", "--port")]
    [InlineData("serve --host 0.0.0.0", "--api-key-file")]
    [InlineData("quickstart --minutes 0", "--minutes")]
    [InlineData("quickstart --minutes soon", "--minutes")]
    [InlineData("run nowhere.yaml", "nowhere.yaml")]
    [InlineData("run", "recipe")]
    [InlineData("generate nowhere text", "nowhere")]
    [InlineData("inspect nowhere", "nowhere")]
    [InlineData("tokenize --documents . --tokenizer . --profile", "--profile")]
    [InlineData("", "which command?")]
    public void Wrong_usage_exits_with_2_and_one_clear_message(string arguments, string expected)
    {
        var outcome = Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(2, outcome.Code);
        Assert.Equal("", outcome.Out);
        Assert.StartsWith("finery: ", outcome.Error);
        Assert.Contains(expected, outcome.Error);
        Assert.DoesNotContain("   at ", outcome.Error);
    }

    [Fact]
    public void A_step_verb_takes_every_kind_of_setting_and_says_what_it_would_run()
    {
        using var folder = new TemporaryFolder();
        string text = Path.Combine(folder.Path, "a.txt");
        File.WriteAllText(text, "Some text to read.");
        var read = Run(["read", "--paths", text, text, "--limit", "5", "--dry-run", "--out", folder.Path]);
        Assert.True(read.Code == 0, read.Error);
        var train = Run(
        [
            "pretrain", "--tokens", folder.Path, "--tokenizer", folder.Path, "--model", "{layers: 1, width: 32, heads: 1, kv_heads: 1}",
            "--steps", "3", "--learning-rate", "1e-3", "--dry-run", "--out", Path.Combine(folder.Path, "run"),
        ]);
        Assert.True(train.Code == 0, train.Error);
        string[] pretrain = ["pretrain", "--tokens", folder.Path, "--tokenizer", folder.Path];
        Assert.Equal(2, Run([.. pretrain, "--steps", "0"]).Code);
        string[] profile = [.. pretrain, "--steps", "3", "--dry-run", "--out", Path.Combine(folder.Path, "run"), "--profile"];
        Assert.Equal([0, 0, 2, 2], new[] { Run(profile), Run([.. profile, "5"]), Run([.. profile, "0"]), Run([.. profile, "many"]) }
            .Select(outcome => outcome.Code));
    }

    [Fact]
    public void Doctor_is_pure_json_with_a_fix_for_every_check()
    {
        var outcome = Run(["doctor", "--json"]);
        Assert.True(outcome.Code is 0 or 3);
        using var json = JsonDocument.Parse(outcome.Out);
        foreach (var check in json.RootElement.GetProperty("checks").EnumerateArray())
        {
            Assert.Contains(check.GetProperty("state").GetString(), new[] { "pass", "warn", "fail" });
            Assert.NotEqual("", check.GetProperty("fix").GetString());
        }
    }

    [Fact]
    public void No_escape_sequence_reaches_a_pipe_unless_forced()
    {
        var terminal = new Dictionary<string, string> { ["TERM"] = "xterm-256color", ["COLORTERM"] = "truecolor" };
        Assert.DoesNotContain('\x1b', Run(["doctor"], terminal).Out);
        Assert.Contains('\x1b', Run(["doctor"], new(terminal) { ["FORCE_COLOR"] = "1" }).Out);
        Assert.DoesNotContain('\x1b', Run(["doctor"], new(terminal) { ["FORCE_COLOR"] = "1", ["NO_COLOR"] = "1" }).Out);
        Assert.DoesNotContain('\x1b', Run(["doctor", "--no-color"], new(terminal) { ["FORCE_COLOR"] = "1" }).Out);
    }

    [Fact]
    public void A_saved_model_is_inspected_continued_and_chatted_with()
    {
        using var folder = new TemporaryFolder();
        TinyEngine.Save(folder.Path);

        using var facts = JsonDocument.Parse(Run(["inspect", folder.Path, "--json"]).Out);
        Assert.Equal("model", facts.RootElement.GetProperty("kind").GetString());
        Assert.Equal(TinyEngine.Context, facts.RootElement.GetProperty("context").GetInt32());

        string[] generate = ["generate", folder.Path, "Gets the", "--max-tokens", "12", "--seed", "7"];
        var first = Run(generate);
        Assert.Equal(0, first.Code);
        Assert.False(string.IsNullOrWhiteSpace(first.Out));
        Assert.Equal(first.Out, Run(generate).Out);
        Assert.Equal(first.Out, Run([.. generate[..2], .. generate[3..]], input: "Gets the\n").Out);

        var chat = Run(["chat", folder.Path, "--max-tokens", "8", "--seed", "1"], input: "Hello\n/reset\n/exit\n");
        Assert.Equal(0, chat.Code);
        Assert.False(string.IsNullOrWhiteSpace(chat.Out));
        Assert.DoesNotContain("<|im_end|>", chat.Out);
    }

    [Fact]
    public void Text_goes_to_ids_and_back()
    {
        using var folder = new TemporaryFolder();
        TinyEngine.Save(folder.Path);
        const string Text = "Gets the naïve \U0001F600";
        string ids = Run(["tokenizer", "encode", folder.Path, Text]).Out;
        Assert.Equal(string.Join(' ', TinyEngine.Tokenizer.Encode(Text)), ids.Trim());
        Assert.Equal(Text, Run(["tokenizer", "decode", folder.Path, .. ids.Trim().Split(' ')]).Out.TrimEnd());
        Assert.Equal(2, Run(["tokenizer", "decode", folder.Path, "999999"]).Code);
    }

    [Fact]
    public void Doctor_says_what_training_a_model_takes()
    {
        using var folder = new TemporaryFolder();
        TinyModels.Config.Save(folder.Path);
        string[] command = ["doctor", "--model", folder[ModelConfig.FileName], "--batch-tokens", "640", "--threads", "1"];
        using var json = JsonDocument.Parse(Run([.. command, "--json"]).Out);
        var training = json.RootElement.GetProperty("training");
        long Total(string level) => training.GetProperty(level).GetProperty("total").GetInt64();
        Assert.Equal(MemoryEstimate.OfTraining(TinyModels.Config, 640).Total, Total("none"));
        Assert.True(Total("full") < Total("selective") && Total("selective") < Total("none"));
        Assert.Equal(TinyModels.Config.ParameterCount, json.RootElement.GetProperty("parameters").GetInt64());

        var text = Run([.. command, "--recompute", "full", "--precision", "bf16", "--sequence-length", "64"]);
        Assert.Equal(0, text.Code);
        Assert.Contains("in rows of 64", text.Out);
        Assert.Contains("fits", text.Out);
        Assert.DoesNotContain("selective", text.Out);
        Assert.Equal(2, Run([.. command, "--recompute", "some"]).Code);
        Assert.Equal(2, Run(["doctor", "--model", "nowhere"]).Code);
    }

    [Fact]
    public void A_dry_run_writes_nothing()
    {
        using var folder = new TemporaryFolder();
        var outcome = Run(["quickstart", "--dry-run", "--json", "--out", folder["run"]]);
        Assert.Equal(0, outcome.Code);
        using var json = JsonDocument.Parse(outcome.Out);
        Assert.Equal("corpus", json.RootElement.GetProperty("steps")[0].GetProperty("name").GetString());
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    internal static Outcome Run(string[] arguments, Dictionary<string, string>? environment = null, string input = "")
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } path
            && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet")
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
            StandardOutputEncoding = System.Text.Encoding.UTF8, StandardErrorEncoding = System.Text.Encoding.UTF8,
            WorkingDirectory = Path.GetTempPath(),
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "finery.dll"));
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        foreach (string name in new[] { "NO_COLOR", "FORCE_COLOR", "TERM" }) start.Environment.Remove(name);
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new(process.ExitCode, output, error.GetAwaiter().GetResult());
    }
}
