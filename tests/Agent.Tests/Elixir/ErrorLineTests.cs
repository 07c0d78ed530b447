using Decant.Agent.Elixir;
using Decant.Agent.Operations;

namespace Decant.Agent.Tests.Elixir;

public class ErrorLineTests
{
    private const string Raised = "** (System.EnvError) could not fetch environment variable \"SHOP_KEY\" because it is not set";

    // As printed by OTP 25 on a machine that was busy.
    [TestCase(Raised)]
    [TestCase("Crash dump is being written to: /var/lib/decant/crash/dump..." + Raised)]
    [TestCase("init terminating in do_boot ({,[{E" + Raised)]
    public void What_was_raised_is_found_wherever_the_VM_broke_into_it(string line)
    {
        OutputLine[] output =
        [
            new("ERROR! Config provider Config.Reader failed with:", true),
            new(line, true),
            new("    (elixir 1.14.0) lib/system.ex:706: System.fetch_env!/1", true),
            new("done", true),
        ];

        Assert.That(ErrorLine.In(output), Is.EqualTo(Raised));
    }

    [Test]
    public void Output_without_an_exception_has_no_such_line()
        => Assert.That(ErrorLine.In([new OutputLine("/bin/sh: 1: exec: erl: not found", true)]), Is.Null);
}
