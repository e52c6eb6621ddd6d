import { headers } from 'next/headers'
export default function Page () {
  return <main><h1>Hello</h1><p>{headers().get('host')}</p></main>
}
