using Decant.Agent.Proxy;

namespace Decant.Agent.Tests.Proxy;

internal sealed class PassedSocketsTests
{
    [TestCase("42", "2", ExpectedResult = "3,4")]
    [TestCase("42", "0", ExpectedResult = "")]
    [TestCase("41", "2", ExpectedResult = "")]
    [TestCase(null, "2", ExpectedResult = "")]
    [TestCase("42", "x", ExpectedResult = "")]
    public string Sockets_are_taken_when_they_are_meant_for_this_process(string? pid, string? count) => string.Join(',', PassedSockets.Of(pid, count, ownPid: 42));
}
