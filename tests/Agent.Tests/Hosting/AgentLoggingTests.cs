using Decant.Agent.Hosting;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;

namespace Decant.Agent.Tests.Hosting;

internal sealed class AgentLoggingTests
{
    [Test]
    public void A_line_for_the_journal_has_its_priority_and_what_it_belongs_to_also_in_the_lines_of_a_trace()
    {
        var text = Logged(new JournalFormatter(), log => log
            .ForContext("Host", "web1").ForContext("Deployment", "d-42").ForContext("App", "shop").ForContext("Slot", "main")
            .Error(new InvalidOperationException("boom"), "{Kind} failed", "Stage"));

        var lines = text.TrimEnd('\n').Split('\n');
        Assert.That(lines[0], Does.StartWith("<3>[web1 d-42 shop/main] ").And.EndsWith("Stage failed"));
        Assert.That(lines, Has.Length.GreaterThan(1));
        Assert.That(lines, Is.All.StartsWith("<3>"));
    }

    [TestCase(LogEventLevel.Fatal, "<2>")]
    [TestCase(LogEventLevel.Error, "<3>")]
    [TestCase(LogEventLevel.Warning, "<4>")]
    [TestCase(LogEventLevel.Information, "<6>")]
    [TestCase(LogEventLevel.Debug, "<7>")]
    public void Levels_are_the_priorities_of_sd_daemon(LogEventLevel level, string expected)
        => Assert.That(Logged(new JournalFormatter(), log => log.ForContext("Host", "web1").Write(level, "x")), Does.StartWith(expected + "[web1] "));

    [Test]
    public void A_line_for_people_has_time_level_and_what_it_belongs_to()
        => Assert.That(
            Logged(new ConsoleFormatter(), log => log.ForContext("Host", "web1").ForContext("App", "shop").Information("staged {Release}", "1.0.0")),
            Does.Match(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S+ INF \[web1 shop\] staged 1\.0\.0\n$"));

    private static string Logged(ITextFormatter formatter, Action<ILogger> write)
    {
        using var output = new StringWriter();
        using var log = new LoggerConfiguration().MinimumLevel.Verbose().WriteTo.Sink(new TextSink(formatter, output)).CreateLogger();
        write(log);
        return output.ToString();
    }

    private sealed class TextSink(ITextFormatter formatter, TextWriter output) : ILogEventSink
    {
        public void Emit(LogEvent logEvent) => formatter.Format(logEvent, output);
    }
}
