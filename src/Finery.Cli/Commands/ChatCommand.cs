using System.CommandLine;
using System.Text;
using Finery.Cli.Inference;
using Finery.Cli.Terminal;
using Finery.Data.Tokenizers;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery chat</c>: a conversation in the terminal, or one question with <c>--message</c>.</summary>
public static class ChatCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("chat", "Talk to a model.");
        var model = new ModelArgument(command);
        var message = new Option<string?>("--message", "-m") { Description = "Ask this, print the answer, and end." };
        var system = new Option<string?>("--system") { Description = "A system message to begin with." };
        command.Add(message);
        command.Add(system);
        var sampling = new SamplingOptions(command);
        command.SetAction(parsed =>
        {
            var request = sampling.Read(parsed);
            var streams = CommandLine.StreamsOf(parsed);
            using var engine = model.Load(parsed, streams);
            var conversation = new Conversation(engine, request, streams, parsed.GetValue(system));
            if (parsed.GetValue(message) is { } question) return (int)conversation.Answer(question);
            return (int)conversation.Loop();
        });
        return command;
    }

    /// <summary>The turns so far. The oldest are dropped, with a notice, when prompt and answer no longer fit the context.</summary>
    private sealed class Conversation(TextEngine engine, TextRequest request, Streams streams, string? system)
    {
        private readonly List<ChatMessage> _turns = [];
        private ulong _answers;

        public ExitCode Loop()
        {
            bool prompts = !Console.IsInputRedirected;
            if (prompts)
            {
                streams.Messages.WriteLine(
                    $"{engine.ModelId}: {engine.ParameterCount:N0} parameters, context {engine.ContextLength} tokens. /reset starts afresh, /exit ends.");
            }
            while (true)
            {
                if (prompts) streams.Messages.Write("> ");
                string? line = Console.ReadLine();
                if (line is null or "/exit" or "/quit") return ExitCode.Ok;
                if (line.Trim().Length == 0) continue;
                if (line == "/reset")
                {
                    _turns.Clear();
                    streams.Messages.WriteLine("The conversation starts afresh.");
                }
                else if (line.StartsWith('/'))
                {
                    streams.Messages.WriteLine($"Unknown command {line}. There are /reset and /exit.");
                }
                else
                {
                    try
                    {
                        Answer(line);
                    }
                    catch (UsageException problem)
                    {
                        streams.Messages.WriteLine(problem.Message);
                    }
                }
            }
        }

        public ExitCode Answer(string question)
        {
            _turns.Add(new ChatMessage("user", question));
            int[] prompt = Prompt();
            // Each answer draws differently, and the whole conversation is a function of the seed.
            var settings = request.Settings with { Seed = unchecked(request.Settings.Seed + _answers++) };
            var answer = new StringBuilder();
            using var interruption = new Interruption("(stopped)");
            var code = ExitCode.Ok;
            try
            {
                foreach (var piece in engine.Generate(prompt, request with { Settings = settings }, interruption.Stop))
                {
                    answer.Append(piece.Text);
                    streams.Data.Write(piece.Text);
                    streams.Data.Flush();
                }
            }
            catch (OperationCanceledException)
            {
                code = ExitCode.SigInt;
            }
            streams.Data.WriteLine();
            _turns.Add(new ChatMessage("assistant", answer.ToString()));
            return code;
        }

        private int[] Prompt()
        {
            int room = Math.Min(request.Settings.MaxTokens, engine.ContextLength / 4);
            for (int dropped = 0; ; dropped++)
            {
                IReadOnlyList<ChatMessage> messages = system is null ? _turns : [new ChatMessage("system", system), .. _turns];
                int[] ids = engine.EncodeChat(messages);
                bool fits = ids.Length + room <= engine.ContextLength;
                if (fits || _turns.Count == 1)
                {
                    if (ids.Length >= engine.ContextLength)
                    {
                        _turns.Clear();
                        throw new UsageException(
                            $"this message has {ids.Length} tokens with its frame; the context is {engine.ContextLength} tokens. Shorten it.");
                    }
                    if (dropped > 0) streams.Messages.WriteLine($"(the context is full: the oldest {dropped} messages were dropped)");
                    return ids;
                }
                _turns.RemoveAt(0);
            }
        }
    }
}
